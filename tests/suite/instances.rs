//! Which instance of a service a call goes to, and where they are found.

use std::{sync::Mutex, time::Duration};

use kinoko::{
    App, ErrorKind, Settings, async_trait,
    discovery::{Balance, Discovery, Found, Instance, Instances, Protocol, Target},
    prelude::*,
};
use tokio::{
    sync::mpsc,
    time::{Instant, advance},
};

/// A discovery that a test tells what to find.
struct Told(Mutex<Option<mpsc::UnboundedReceiver<News>>>);

enum News {
    Found(Vec<&'static str>),
    Stale(&'static str),
}

#[async_trait]
impl Discovery for Told {
    async fn follow(&self, _: &Target, found: Found) {
        let mut news = self.0.lock().unwrap().take().expect("it is followed once");
        while let Some(news) = news.recv().await {
            match news {
                News::Found(addresses) => found.set(addresses.into_iter().map(Instance::new)),
                News::Stale(reason) => found.stale(reason),
            }
        }
    }
}

fn told() -> (mpsc::UnboundedSender<News>, Instances) {
    let (tell, news) = mpsc::unbounded_channel();
    (tell, Instances::new(Told(Mutex::new(Some(news))), Target::new("inventory", Protocol::Http)))
}

async fn picked(instances: &Instances) -> String {
    instances.pick().await.expect("an instance").address.clone()
}

#[tokio::test]
async fn instances_take_turns() {
    let instances = Instances::fixed("inventory", ["a:1", "b:1", "c:1"]).unwrap();
    let mut turns = Vec::new();
    for _ in 0..6 {
        turns.push(picked(&instances).await);
    }
    assert_eq!(turns, ["a:1", "b:1", "c:1", "a:1", "b:1", "c:1"]);
}

#[tokio::test]
async fn the_least_loaded_instance_is_picked() {
    let instances = Instances::fixed("inventory", ["a:1", "b:1"]).unwrap().balance(Balance::LeastLoaded);
    let first = instances.pick().await.unwrap();
    for _ in 0..4 {
        assert_ne!(picked(&instances).await, first.address, "one call is under way there");
    }
    let idle = first.address.clone();
    drop(first);
    let busy = [instances.pick().await.unwrap(), instances.pick().await.unwrap()];
    assert_ne!(busy[0].address, busy[1].address);
    assert!(busy.iter().any(|pick| pick.address == idle), "its call is over");
}

#[tokio::test(start_paused = true)]
async fn the_nearest_is_picked_until_it_fails() {
    let instances = Instances::fixed("inventory", ["near:1", "far:1"]).unwrap().balance(Balance::Nearest);
    assert_eq!(picked(&instances).await, "near:1");
    instances.pick().await.unwrap().failed();
    assert_eq!(picked(&instances).await, "far:1");
    advance(Duration::from_secs(5)).await;
    assert_eq!(picked(&instances).await, "near:1");
}

#[tokio::test(start_paused = true)]
async fn who_fails_again_is_set_aside_for_longer() {
    let instances = Instances::fixed("inventory", ["a:1", "b:1"]).unwrap().balance(Balance::Nearest);
    for seconds in [5, 10, 20, 40, 60, 60] {
        let pick = instances.pick().await.unwrap();
        assert_eq!(pick.address, "a:1");
        // Two calls that fail at once are one failure.
        pick.failed();
        pick.failed();
        advance(Duration::from_secs(seconds) - Duration::from_millis(1)).await;
        assert_eq!(picked(&instances).await, "b:1", "{seconds} s are not over");
        advance(Duration::from_millis(1)).await;
    }
    // It worked for as long as it was away.
    advance(Duration::from_secs(60)).await;
    instances.pick().await.unwrap().failed();
    advance(Duration::from_secs(5)).await;
    assert_eq!(picked(&instances).await, "a:1");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_is_set_aside_is_better_than_none() {
    let instances = Instances::fixed("inventory", ["a:1", "b:1"]).unwrap();
    for _ in 0..2 {
        instances.pick().await.unwrap().failed();
    }
    assert_eq!(picked(&instances).await, "a:1");
    assert_eq!(picked(&instances).await, "b:1");
}

#[tokio::test(start_paused = true)]
async fn instances_come_and_go() {
    let (tell, instances) = told();
    tell.send(News::Found(vec!["a:1"])).unwrap();
    assert_eq!(picked(&instances).await, "a:1");
    tell.send(News::Found(vec!["b:1", "c:1"])).unwrap();
    instances.wait_for(|all| all.len() == 2).await;
    assert_eq!(instances.list()[0].address, "b:1");
    tell.send(News::Found(vec![])).unwrap();
    instances.wait_for(|all| all.is_empty()).await;
    let error = instances.pick().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.to_string(), "no instance of `inventory` (http) is known");
}

#[tokio::test(start_paused = true)]
async fn who_stays_listed_stays_set_aside() {
    let (tell, instances) = told();
    tell.send(News::Found(vec!["a:1", "b:1"])).unwrap();
    let pick = instances.pick().await.unwrap();
    assert_eq!(pick.address, "a:1");
    pick.failed();
    tell.send(News::Found(vec!["a:1", "b:1", "c:1"])).unwrap();
    instances.wait_for(|all| all.len() == 3).await;
    for _ in 0..6 {
        assert_ne!(picked(&instances).await, "a:1");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_instances_are_kept_through_an_outage() {
    let (tell, instances) = told();
    tell.send(News::Found(vec!["a:1"])).unwrap();
    tell.send(News::Stale("nobody answers")).unwrap();
    // Both were told when this is woken: there is one thread.
    instances.wait_for(|all| !all.is_empty()).await;
    assert_eq!(instances.stale().as_deref(), Some("nobody answers"));
    assert_eq!(picked(&instances).await, "a:1");
    tell.send(News::Found(vec!["a:1", "b:1"])).unwrap();
    instances.wait_for(|all| all.len() == 2).await;
    assert_eq!(instances.stale(), None);
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_is_waited_for_and_not_for_ever() {
    let (tell, instances) = told();
    let began = Instant::now();
    let error = instances.pick().await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(error.to_string(), "the instances of `inventory` (http) are not known after 5s");
    tell.send(News::Stale("nobody answers")).unwrap();
    let error = instances.pick().await.unwrap_err();
    assert!(error.to_string().ends_with("not known after 5s: nobody answers"), "{error}");
    let (picked, ()) = tokio::join!(instances.pick(), async {
        advance(Duration::from_secs(1)).await;
        tell.send(News::Found(vec!["a:1"])).unwrap();
    });
    assert_eq!(picked.unwrap().address, "a:1");
}

#[derive(Dependencies)]
struct Shop {
    #[dependency(service = "inventory")]
    inventory: Instances,
    #[dependency(service = "inventory", protocol = "grpc")]
    by_grpc: Instances,
}

#[service(name = "shop")]
impl Shop {
    #[rpc]
    async fn urls(&self) -> kinoko::Result<Vec<String>> {
        Ok(vec![self.inventory.pick().await?.url(), self.by_grpc.pick().await?.url()])
    }
}

async fn start(yaml: &str) -> kinoko::Result<Vec<String>> {
    let app = App::new().settings(Settings::from_yaml(yaml)?).service::<Shop>().start().await?;
    let urls = app.client::<ShopClient>().urls().await?;
    app.stop().await?;
    Ok(urls)
}

#[tokio::test]
async fn settings_say_where_a_service_is() {
    let urls = |yaml| async move { start(yaml).await.unwrap_or_else(|error| panic!("{yaml}: {error}")) };
    let list = "discovery: {services: {inventory: ['10.0.0.1:80', 'https://b.internal']}}";
    assert_eq!(urls(list).await, ["http://10.0.0.1:80", "http://10.0.0.1:80"]);
    // As an environment variable has it.
    let text = "discovery: {services: {inventory: '10.0.0.1:80, 10.0.0.2:80'}}";
    assert_eq!(urls(text).await[0], "http://10.0.0.1:80");
    let both = "discovery: {services: {inventory: {http: 'https://a.internal', grpc: ['a.internal:50051']}}}";
    assert_eq!(urls(both).await, ["https://a.internal:443", "http://a.internal:50051"]);
    let dns = "discovery: {services: {inventory: 'dns://localhost:8000?tls=true'}}";
    let found = &urls(dns).await[0];
    assert!(["https://127.0.0.1:8000", "https://[::1]:8000"].contains(&found.as_str()), "{found}");
}

#[tokio::test]
async fn a_service_that_nobody_knows_ends_the_start() {
    for (yaml, wanted) in [
        ("{}", "nothing says where service `inventory` is: set `discovery.services.inventory`: write a list of"),
        ("discovery: {services: {inventory: 7}}", "write a list of addresses"),
        ("discovery: {services: {inventory: []}}", "it lists no address"),
        ("discovery: {services: {inventory: ['10.0.0.1']}}", "`10.0.0.1` is no address: write `host:port`"),
        ("discovery: {services: {inventory: 'ftp://a:1'}}", "`ftp://a:1` is no address"),
        ("discovery: {services: {inventory: 'dns://a'}}", "`dns://` is followed by a host and a port"),
        ("discovery: {services: {inventory: 'dns://a:1?ttl=3'}}", "`dns://` knows `tls=true`"),
        ("discovery: {services: {inventory: {https: 'a:1'}}}", "`https` is no protocol"),
        ("discovery: {services: {inventory: {http: 'a:1'}}}", "it does not say where `grpc` is spoken"),
        ("discovery: {dns_refresh: 1x}", "setting `discovery.dns_refresh`"),
    ] {
        let error = start(yaml).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(wanted), "{yaml}: {error}");
    }
}

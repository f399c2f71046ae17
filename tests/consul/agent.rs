//! One agent: what it is told, and what happens when it is away.

use std::time::Duration;

use kinoko::{ErrorKind, discovery::Instances};
use kinoko_tests::{PrivateConsul, captured_log, eventually, soon};

use crate::stage::{ShelfClient, caller, settings, start};

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(consul), ignore = "no Consul: KINOKO_TEST_CONSUL is not set")]
async fn a_program_is_registered_while_it_runs() {
    let consul = PrivateConsul::start_new();
    let settings = settings(&consul.address(), "  tags: [blue]\n  meta: {rack: r7}\n");
    let shelves = caller(&settings, "shelf");
    let app = start(settings.clone()).await;
    soon("it is found", shelves.wait_for(|all| all.len() == 1)).await;

    let found = shelves.pick().await.unwrap();
    assert_eq!(found.address, app.http_address().unwrap().to_string());
    assert_eq!((found.version.as_deref(), found.tls), (Some("1.2.3"), false));
    assert_eq!(found.tags, ["http", "blue"]);
    assert_eq!(found.meta["rack"], "r7");
    let known = consul.health("shelf");
    assert_eq!(known[0]["Service"]["ID"], found.id.as_str());
    let check = known[0]["Checks"].as_array().unwrap().iter().find(|check| check["Name"] == "ready").unwrap();
    assert_eq!((&check["Status"], &check["Output"]), (&"passing".into(), &"ready".into()));

    app.stop().await.unwrap();
    assert_eq!(consul.health("shelf").len(), 0, "a stop waits for the agent");
    soon("it is gone", shelves.wait_for(|all| all.is_empty())).await;
    let error = shelves.pick().await.unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string()),
        (ErrorKind::Unavailable, "no instance of `shelf` (http) is known".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(consul), ignore = "no Consul: KINOKO_TEST_CONSUL is not set")]
async fn who_is_not_ready_is_not_found() {
    let consul = PrivateConsul::start_new();
    for check in ["ttl", "http"] {
        let settings = settings(&consul.address(), &format!("  check: {check}\n"));
        let shelves = caller(&settings, "shelf");
        let app = start(settings).await;
        let shelf = app.client::<ShelfClient>();
        soon("it is found", shelves.wait_for(|all| all.len() == 1)).await;
        shelf.lock(true).await.unwrap();
        soon("it is not found", shelves.wait_for(|all| all.is_empty())).await;
        let known = serde_json::Value::from(consul.health("shelf")).to_string();
        assert!(known.contains("the shelf is locked"), "{check}: {known}");
        shelf.lock(false).await.unwrap();
        soon("it is found again", shelves.wait_for(|all| all.len() == 1)).await;
        app.stop().await.unwrap();
        soon("it is gone", shelves.wait_for(|all| all.is_empty())).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(consul), ignore = "no Consul: KINOKO_TEST_CONSUL is not set")]
async fn an_agent_that_was_killed_is_told_again() {
    captured_log();
    let mut consul = PrivateConsul::start_new();
    let settings = settings(&consul.address(), "");
    let shelves = caller(&settings, "shelf");
    let app = start(settings).await;
    soon("it is found", shelves.wait_for(|all| all.len() == 1)).await;
    let id = shelves.pick().await.unwrap().id.clone();

    let calls = tokio::spawn(pick_until_dropped(shelves.clone()));
    consul.kill9();
    eventually(Duration::from_secs(10), "the caller notices", || async { shelves.stale() }).await;
    assert_eq!(shelves.pick().await.unwrap().id, id, "the last answer is kept");
    let log = captured_log();
    assert!(log.contains("the instances of a service may be out of date service=\"shelf\" kept=1"), "{log}");
    eventually(Duration::from_secs(10), "the program notices", || async {
        captured_log().contains("Consul does not hear of this instance").then_some(())
    })
    .await;
    assert!(app.readiness().is_ready(), "it serves those that know it");

    consul.start();
    consul.wait_for_leader();
    // It knew nothing: this is the check's interval, and what a busy machine needs.
    eventually(Duration::from_secs(5), "it is registered again", || async {
        consul.health("shelf").iter().find(|known| known["Service"]["ID"] == id.as_str()).cloned()
    })
    .await;
    eventually(Duration::from_secs(10), "the caller knows it again", || async {
        (shelves.stale().is_none() && shelves.list().len() == 1).then_some(())
    })
    .await;
    assert!(!calls.is_finished(), "there was an instance throughout");
    calls.abort();
    app.stop().await.unwrap();
}

/// Ends by a panic when there is no instance.
async fn pick_until_dropped(instances: Instances) {
    loop {
        drop(instances.pick().await.expect("an instance"));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_program_starts_and_stops_without_its_agent() {
    let [port] = kinoko_tests::free_ports();
    let settings = settings(&format!("127.0.0.1:{port}"), "");
    let shelves = caller(&settings, "shelf");
    let app = start(settings).await;
    let error = shelves.pick().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&format!("Consul at http://127.0.0.1:{port} does not answer")), "{error}");
    soon("the stop", app.stop()).await.unwrap();
}

#[tokio::test]
async fn settings_that_make_no_sense_end_the_start() {
    for (agent, more, wanted) in [
        ("ftp://127.0.0.1", "", "setting `consul.address` (from line 4): it is no address of an agent"),
        ("127.0.0.1:8500", "  check: ping\n", "`ping` is no check: write `ttl`, `http` or `grpc`"),
        ("127.0.0.1:8500", "  check_interval: 10ms\n", "setting `consul.check_interval`"),
        ("https://127.0.0.1:8500", "  tls: {ca: missing.pem}\n", "`missing.pem` cannot be used"),
    ] {
        let settings = settings_text(agent, more);
        let app = kinoko::App::new().settings(settings).service::<crate::stage::Shelf>();
        let error = app.start().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(wanted), "{error}");
    }
}

fn settings_text(agent: &str, more: &str) -> kinoko::Settings {
    let yaml =
        format!("http: {{address: '127.0.0.1:0'}}\nops: {{enabled: false}}\nconsul:\n  address: '{agent}'\n{more}");
    kinoko::Settings::from_yaml(&yaml).expect("settings")
}

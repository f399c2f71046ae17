//! The operations endpoints of sagas: who may ask, what is told, and what may be asked for.

use std::{collections::BTreeMap, net::SocketAddr, sync::Mutex, time::Duration};

use kinoko::{
    RunningApp,
    prelude::*,
    saga::{SagaState, SagaStore},
    testing::TestDatabase,
};
use kinoko_tests::{eventually, soon, unique};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{Order, ShopError};

const TOKEN: &str = "a token of operators";

/// Nobody sells at this price.
const REFUSED: u32 = 13;
/// Waits to be confirmed.
const DEAR: u32 = 2000;

/// How often something is refused yet, by what the saga is about: whoever asks from outside has no journal in the program.
static REFUSALS: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

fn refuse(what: &str) -> Result<(), ShopError> {
    match REFUSALS.lock().unwrap().get_mut(what) {
        Some(left) if *left > 0 => {
            *left -= 1;
            Err(ShopError::Refused { what: "it".into() })
        }
        _ => Ok(()),
    }
}

#[derive(Dependencies)]
struct Buy;

#[saga(name = "buy")]
impl Buy {
    #[step(compensate = release)]
    fn reserve(&self, order: &Order) -> Result<String, ShopError> {
        Ok(format!("reserved {}", order.sku))
    }

    fn release(&self, _: String, order: &Order) -> Result<(), ShopError> {
        refuse(&order.sku)
    }

    #[wait(signal = "confirmed", timeout = "1h", when = is_dear, compensate = none)]
    fn confirmed(&self, by: String) -> bool {
        !by.is_empty()
    }

    fn is_dear(&self, order: &Order) -> bool {
        order.price >= DEAR
    }

    #[step(compensate = none)]
    fn check(&self, order: &Order) -> Result<(), ShopError> {
        match order.price {
            REFUSED => Err(ShopError::Refused { what: "it".into() }),
            _ => Ok(()),
        }
    }

    #[step]
    fn pay(&self, order: &Order) -> u64 {
        u64::from(order.price)
    }

    #[step(retry(max = 1))]
    fn send(&self, order: &Order) -> Result<u32, ShopError> {
        refuse(&order.sku)?;
        Ok(7)
    }
}

#[derive(Dependencies)]
struct Shop {
    buy: Saga<Buy>,
}

#[service(name = "saga_shop")]
impl Shop {
    /// Starts one of which so many attempts are refused.
    #[rpc]
    async fn buy(&self, id: String, price: u32, refusals: u32) -> kinoko::Result<()> {
        let sku = unique("lamp");
        REFUSALS.lock().unwrap().insert(sku.clone(), refusals);
        drop(self.buy.start(id, Order { sku, price }).await?);
        Ok(())
    }

    #[rpc]
    async fn state(&self, id: String) -> kinoko::Result<Option<SagaState>> {
        Ok(self.buy.status(&id).await?.map(|status| status.instance.state))
    }
}

/// A program, and who looks after it.
struct Operator {
    app: RunningApp,
    address: SocketAddr,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect(&self.body)
    }
}

async fn start<S: kinoko::service::Service>(settings: &str) -> Operator {
    let mut settings = Settings::from_yaml(settings).unwrap();
    settings.set("ops.address", "127.0.0.1:0");
    let app = App::new().service::<S>().settings(settings).start().await.unwrap();
    let address = app.ops_address().unwrap();
    Operator { app, address }
}

/// In production, with a token.
async fn operator() -> Operator {
    start::<Shop>(&format!("{{ mode: production, ops: {{ token: {TOKEN} }} }}")).await
}

impl Operator {
    async fn ask(&self, head: &str) -> Answer {
        let mut stream = soon("a connection", TcpStream::connect(self.address)).await.unwrap();
        let host = if head.contains("\r\nhost:") { "" } else { "\r\nhost: orders.internal" };
        stream.write_all(format!("{head}{host}\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon("an answer", stream.read_to_string(&mut answer)).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.with_token("GET", path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    async fn with_token(&self, verb: &str, path: &str) -> Answer {
        self.ask(&format!("{verb} {path} HTTP/1.1\r\nauthorization: Bearer {TOKEN}")).await
    }

    /// The refusal of something that is asked.
    async fn refused(&self, verb: &str, path: &str) -> Value {
        let answer = self.with_token(verb, path).await;
        assert!(answer.head.contains("application/problem+json"), "{path}: {}", answer.head);
        answer.json()
    }

    async fn asked(&self, path: &str) {
        let answer = self.with_token("POST", path).await;
        assert_eq!(answer.status, 202, "{path}: {}", answer.body);
    }

    async fn buy(&self, id: &str, price: u32, refusals: u32) {
        self.app.client::<ShopClient>().buy(id.into(), price, refusals).await.unwrap();
    }

    async fn until(&self, id: &str, state: &str) -> Value {
        let path = format!("/sagas/buy/{id}");
        eventually(Duration::from_secs(10), state, || async {
            let saga = self.get(&path).await;
            (saga["state"] == state).then_some(saga)
        })
        .await
    }
}

fn happened(saga: &Value) -> Vec<String> {
    let told = |entry: &Value| match entry["step"].as_str() {
        Some(step) => format!("{} {step}", entry["what"].as_str().unwrap()),
        None => entry["what"].as_str().unwrap().to_owned(),
    };
    saga["timeline"].as_array().unwrap().iter().map(told).collect()
}

#[tokio::test]
async fn what_happened_is_told_and_what_it_is_about_is_not() {
    let operator = operator().await;
    operator.buy("1", 30, 0).await;
    let saga = operator.until("1", "completed").await;
    let told = ["started", "begun reserve", "done reserve", "skipped confirmed", "begun check", "done check"];
    assert_eq!(
        happened(&saga),
        [&told[..], &["begun pay", "done pay", "begun send", "done send", "completed"]].concat()
    );
    assert_eq!(saga["timeline"][1]["attempt"], 1);
    assert_eq!(saga["timeline"][0]["at"].as_str().unwrap().len(), "2026-11-28T07:00:00.000Z".len(), "{saga}");
    let named = ["saga", "id", "service", "asks"].map(|key| saga[key].clone());
    assert_eq!(named, [json!("buy"), json!("1"), json!("saga_shop"), json!([])]);
    // Its input is a lamp at 30, and its steps returned that it was reserved.
    for inside in ["lamp", "reserved", "input", "output", "context", "payload"] {
        assert!(!saga.to_string().contains(inside), "{inside}: {saga}");
    }

    operator.buy("2", REFUSED, 0).await;
    let saga = operator.until("2", "compensated").await;
    let failure = json!({"reason": "failed", "step": "check", "code": "REFUSED", "error": "Refused: it was refused"});
    assert_eq!(saga["failure"], failure);
    assert_eq!(happened(&saga)[6..], ["goes_back check", "compensating reserve", "undone reserve", "compensated"]);
    let steps: Vec<_> = saga["steps"].as_array().unwrap().iter().map(|step| step["state"].clone()).collect();
    assert_eq!(steps, ["compensated", "skipped", "failed", "pending", "pending"]);
    operator.app.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_parked_is_found_and_goes_on_when_it_is_retried() {
    let operator = operator().await;
    operator.buy("fine", 30, 0).await;
    operator.until("fine", "completed").await;
    operator.buy("a/b c", 30, 1).await;
    let saga = operator.until("a%2Fb%20c", "parked").await;
    assert_eq!((&saga["step"], &saga["asks"]), (&json!("send"), &json!(["retry"])));
    let parked = operator.get("/sagas?state=parked").await;
    let sagas = parked["sagas"].as_array().unwrap();
    assert_eq!((sagas.len(), &sagas[0]["id"]), (1, &json!("a/b c")));
    assert_eq!(sagas[0]["parked"]["reason"], "it failed, after one attempt: Refused: it was refused");

    let refused = operator.refused("POST", "/sagas/buy/a%2Fb%20c/skip").await;
    assert_eq!((&refused["status"], &refused["code"]), (&json!(409), &json!("NOT_COMPENSATING")));
    assert!(refused["detail"].as_str().unwrap().ends_with("only a compensation can be skipped: retry it"), "{refused}");
    operator.asked("/sagas/buy/a%2Fb%20c/retry").await;
    let saga = operator.until("a%2Fb%20c", "completed").await;
    assert!(happened(&saga).contains(&"resumed send".to_owned()), "{saga}");

    let refused = operator.refused("POST", "/sagas/buy/fine/retry").await;
    assert_eq!((&refused["status"], &refused["code"]), (&json!(409), &json!("NOT_PARKED")));
    assert_eq!(refused["detail"], "saga `fine` is completed, not parked: nothing happens to it any more");
    operator.app.stop().await.unwrap();
}

#[tokio::test]
async fn a_compensation_that_keeps_failing_is_visible_and_may_be_skipped() {
    let operator = operator().await;
    // Ten attempts take minutes; a clock that stands still lets what waits for sockets go over its time.
    tokio::time::pause();
    operator.buy("1", REFUSED, 10).await;
    let client = operator.app.client::<ShopClient>();
    while client.state("1".into()).await.unwrap() != Some(SagaState::Parked) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::resume();
    let saga = operator.until("1", "parked").await;
    assert_eq!(saga["asks"], json!(["retry", "skip"]));
    assert_eq!(saga["parked"]["compensating"], true);
    assert_eq!(saga["steps"][0]["compensations"], 10);
    operator.asked("/sagas/buy/1/skip").await;
    let saga = operator.until("1", "compensated").await;
    assert!(happened(&saga).ends_with(&["settled reserve".into(), "compensated".into()]), "{saga}");
    operator.app.stop().await.unwrap();
}

#[tokio::test]
async fn what_waits_is_cancelled_unless_it_is_too_late() {
    let operator = operator().await;
    operator.buy("1", DEAR, 0).await;
    let waits = eventually(Duration::from_secs(10), "it waits", || async {
        let saga = operator.get("/sagas/buy/1").await;
        (saga["step"] == "confirmed").then_some(saga)
    });
    let waits = waits.await;
    assert_eq!((&waits["state"], &waits["asks"]), (&json!("running"), &json!(["cancel"])));
    operator.asked("/sagas/buy/1/cancel").await;
    let saga = operator.until("1", "compensated").await;
    assert_eq!(saga["signals"], json!([{"number": 1, "name": "kinoko.cancel", "taken": true}]));
    assert_eq!(saga["failure"]["reason"], "cancelled");
    assert_eq!(happened(&saga).last().unwrap(), "compensated");
    let refused = operator.refused("POST", "/sagas/buy/1/cancel").await;
    assert_eq!((&refused["status"], &refused["code"]), (&json!(409), &json!("SAGA_IS_OVER")));

    // Its pivot is done.
    operator.buy("2", 30, 1).await;
    operator.until("2", "parked").await;
    operator.asked("/sagas/buy/2/cancel").await;
    let refused = eventually(Duration::from_secs(10), "it is refused", || async {
        let saga = operator.get("/sagas/buy/2").await;
        saga["timeline"].as_array().unwrap().iter().find(|entry| entry["what"] == "cancel_refused").cloned()
    });
    assert_eq!(refused.await["detail"], "it is parked");
    operator.app.stop().await.unwrap();
}

#[tokio::test]
async fn sagas_are_listed_by_what_they_are_page_by_page() {
    let operator = operator().await;
    for id in ["1", "2", "3"] {
        operator.buy(id, 30, 0).await;
        operator.until(id, "completed").await;
    }
    operator.buy("4", REFUSED, 0).await;
    operator.until("4", "compensated").await;
    let list = async |query: &str| {
        let answer = operator.get(&format!("/sagas{query}")).await;
        let ids: Vec<_> =
            answer["sagas"].as_array().unwrap().iter().map(|saga| saga["id"].as_str().unwrap().to_owned()).collect();
        (ids.join(" "), answer["more"].as_bool().unwrap())
    };
    assert_eq!(list("").await, ("4 3 2 1".into(), false));
    assert_eq!(list("?limit=2").await, ("4 3".into(), true));
    assert_eq!(list("?limit=2&offset=2").await, ("2 1".into(), false));
    assert_eq!(list("?state=compensated").await, ("4".into(), false));
    assert_eq!(list("?state=compensated,completed&saga=buy&service=saga_shop").await, ("4 3 2 1".into(), false));
    assert_eq!(list("?saga=sell").await, (String::new(), false));
    assert_eq!(list("?service=another").await, (String::new(), false));
    for (query, wrong) in [
        ("?state=lost", "no saga is ever `lost`: the states are running, compensating, completed, compensated, parked"),
        ("?limit=0", "`limit` is 0: write 1 to 500"),
        ("?limit=501", "`limit` is 501"),
        ("?offset=many", "the query: "),
        ("?sagas=buy", "unknown field `sagas`, expected one of `saga`"),
    ] {
        let refused = operator.refused("GET", &format!("/sagas{query}")).await;
        assert_eq!(refused["status"], 400, "{query}: {refused}");
        assert!(refused["detail"].as_str().unwrap().contains(wrong), "{query}: {refused}");
    }
    operator.app.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let operator = operator().await;
    for (verb, path) in [("GET", "/sagas/buy/1"), ("POST", "/sagas/buy/1/retry"), ("POST", "/sagas/sell/1/cancel")] {
        let refused = operator.refused(verb, path).await;
        assert_eq!((&refused["status"], &refused["code"]), (&json!(404), &json!("NO_SUCH_SAGA")), "{path}: {refused}");
    }
    assert_eq!(operator.with_token("GET", "/sagas/buy/1/retry").await.status, 405);
    assert_eq!(operator.with_token("POST", "/sagas/buy/1/burn").await.status, 404);
    operator.app.stop().await.unwrap();
}

#[tokio::test]
async fn nobody_sees_or_changes_anything_without_the_token() {
    let operator = operator().await;
    operator.buy("1", 30, 0).await;
    let all = [
        "GET /sagas",
        "GET /sagas/buy/1",
        "POST /sagas/buy/1/retry",
        "POST /sagas/buy/1/skip",
        "POST /sagas/buy/1/cancel",
    ];
    for asked in all {
        for (headers, status) in [
            ("", 401),
            ("\r\nauthorization: Bearer a token of strangers", 401),
            ("\r\norigin: http://evil.example\r\nauthorization: Bearer a token of operators", 403),
            ("\r\nsec-fetch-site: cross-site\r\nauthorization: Bearer a token of operators", 403),
        ] {
            let answer = operator.ask(&format!("{asked} HTTP/1.1{headers}")).await;
            assert_eq!(answer.status, status, "{asked} {headers}: {}", answer.body);
            assert!(
                answer.head.contains("application/problem+json") && answer.head.contains("no-store"),
                "{}",
                answer.head
            );
            assert_eq!(answer.head.contains("www-authenticate: Bearer"), status == 401, "{}", answer.head);
        }
    }
    operator.app.stop().await.unwrap();

    // Without the setting there is nobody who may.
    let operator = start::<Shop>("mode: production").await;
    for asked in all {
        let refused = operator.ask(&format!("{asked} HTTP/1.1\r\nauthorization: Bearer ")).await;
        assert_eq!((refused.status, &refused.json()["code"]), (403, &json!("NO_TOKEN_IS_SET")));
        assert!(refused.json()["detail"].as_str().unwrap().contains("set `ops.token` (KINOKO_OPS__TOKEN)"));
    }
    operator.app.stop().await.unwrap();
}

#[tokio::test]
async fn in_development_the_page_of_this_machine_brings_the_token() {
    let operator = start::<Shop>("{}").await;
    let page = async |headers: &str| operator.ask(&format!("GET /operations HTTP/1.1{headers}")).await;
    let own = page("\r\nhost: 127.0.0.1:9000").await;
    let token = own.body.split_once("data-token=\"").unwrap().1.split('"').next().unwrap();
    assert_eq!(token.len(), 32);
    let policy = "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';";
    assert!(own.head.contains(policy), "{}", own.head);
    assert!(own.head.contains("frame-ancestors 'none'") && own.head.contains("no-store"), "{}", own.head);
    // Reading needs it as well.
    assert_eq!(operator.ask("GET /sagas HTTP/1.1").await.status, 401);
    let listed = operator.ask(&format!("GET /sagas HTTP/1.1\r\nauthorization: Bearer {token}")).await;
    assert_eq!((listed.status, listed.json()["sagas"].clone()), (200, json!([])));
    for elsewhere in ["\r\nhost: evil.example", "\r\nhost: localhost\r\nsec-fetch-site: cross-site"] {
        let page = page(elsewhere).await;
        assert!(page.status == 200 && page.body.contains("data-token=\"\""), "{elsewhere}: {}", page.body);
    }
    for file in [
        "page.css",
        "element.js",
        "operations.js",
        "api.js",
        "words.js",
        "sagas.js",
        "saga.js",
        "operations.css",
        "icon.svg",
    ] {
        assert_eq!(operator.ask(&format!("GET /operations/{file} HTTP/1.1")).await.status, 200, "{file}");
    }
    operator.app.stop().await.unwrap();

    // One that it was given is for those who know it.
    let operator = start::<Shop>(&format!("ops: {{ token: {TOKEN} }}")).await;
    let page = operator.ask("GET /operations HTTP/1.1\r\nhost: 127.0.0.1:9000").await;
    assert!(page.body.contains("data-token=\"\""), "{}", page.body);
    operator.app.stop().await.unwrap();
}

#[derive(Dependencies)]
struct Without;

#[service(name = "saga_without")]
impl Without {
    #[rpc]
    fn nothing(&self) {}
}

/// Hosts none, and looks at those of others.
#[derive(Dependencies)]
struct Watch {
    sagas: SagaStore,
}

#[service(name = "saga_watch")]
impl Watch {
    #[rpc]
    fn hosted(&self) -> usize {
        self.sagas.hosted().len()
    }
}

#[tokio::test]
async fn a_program_without_sagas_has_no_such_paths() {
    let operator = start::<Without>(&format!("ops: {{ token: {TOKEN} }}")).await;
    for path in ["/sagas", "/sagas/buy/1"] {
        let answer = operator.with_token("GET", path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.body.contains("/sagas"), "{}", answer.body);
    }
    operator.app.stop().await.unwrap();
    let operator = start::<Watch>(&format!("ops: {{ token: {TOKEN} }}")).await;
    assert_eq!(operator.get("/sagas").await["sagas"], json!([]));
    let none = operator.with_token("GET", "/").await;
    assert!(none.status == 404 && none.body.contains(", /sagas"), "{}", none.body);
    operator.app.stop().await.unwrap();
}

#[tokio::test]
async fn one_program_looks_after_what_another_one_runs() {
    let database = TestDatabase::sqlite().await.unwrap();
    let settings = format!("{{ ops: {{ token: {TOKEN} }}, saga: {{ log: '{}', lease: 1s }} }}", database.url());
    let shop = start::<Shop>(&settings).await;
    shop.buy("1", 30, 1).await;
    shop.until("1", "parked").await;
    let watch = start::<Watch>(&settings).await;
    assert_eq!(watch.get("/sagas?state=parked").await["sagas"][0]["id"], "1");
    watch.asked("/sagas/buy/1/retry").await;
    shop.until("1", "completed").await;
    watch.app.stop().await.unwrap();
    shop.app.stop().await.unwrap();
}

#[tokio::test]
async fn a_log_that_does_not_answer_is_told() {
    let database = TestDatabase::sqlite().await.unwrap();
    let settings = format!("{{ ops: {{ token: {TOKEN} }}, saga: {{ log: '{}' }} }}", database.url());
    let operator = start::<Watch>(&settings).await;
    let other: kinoko::sql::Database = database.database().await.unwrap();
    sqlx::query("DROP TABLE kinoko_saga").execute(&*other).await.unwrap();
    for (verb, path) in [("GET", "/sagas"), ("GET", "/sagas/buy/1"), ("POST", "/sagas/buy/1/retry")] {
        let refused = operator.refused(verb, path).await;
        assert_eq!((&refused["status"], &refused["code"]), (&json!(503), &json!("LOG_UNREACHABLE")), "{refused}");
        assert!(refused["detail"].as_str().unwrap().starts_with("the log of sagas does not answer"), "{refused}");
    }
    operator.app.stop().await.unwrap();
}

//! Policies over HTTP: what a caller is told whom one refuses, and what operators see and change.

use std::{net::SocketAddr, time::Duration};

use kinoko::{
    RunningApp,
    prelude::*,
    resilience::{BreakerState, CircuitBreaker, Class, Policy, PolicyError, RateLimit, Refused},
};
use kinoko_tests::{eventually, unique};
use serde_json::{Value, json};

use super::client::{Wire, get};

const TOKEN: &str = "a token of operators";

#[derive(Dependencies)]
struct Desk {
    #[dependency(
        name = "gateway",
        timeout = "50ms",
        breaker = CircuitBreaker { min_calls: 2, open_for: Duration::from_secs(3600), ..CircuitBreaker::default() },
        bulkhead = 2
    )]
    gateway: Policy,
    #[dependency(name = "mail", rate_limit = RateLimit { calls: 1, per: Duration::from_secs(40), burst: None })]
    mail: Policy,
}

#[service(name = "policies_desk_http")]
impl Desk {
    #[http(GET, "/pay/{how}")]
    async fn pay(&self, how: String) -> Result<String, Refused> {
        let how = how.as_str();
        let call = || async move {
            match how {
                "well" => Ok("paid"),
                "never" => std::future::pending().await,
                _ => Err("the gateway is down"),
            }
        };
        answer(self.gateway.run_with(|_| Class::FAILURE, call).await)
    }

    #[http(GET, "/mail")]
    async fn mail(&self) -> Result<String, Refused> {
        answer(self.mail.run_with(|_: &&str| Class::FAILURE, || async { Ok("sent") }).await)
    }
}

fn answer(ended: Result<&str, PolicyError<&str>>) -> Result<String, Refused> {
    match ended {
        Ok(text) | Err(PolicyError::Failed(text)) => Ok(text.to_owned()),
        Err(PolicyError::Refused(refused)) => Err(refused),
    }
}

async fn start() -> (RunningApp, SocketAddr, SocketAddr) {
    start_on(&format!("memory://{}", unique("policies"))).await
}

async fn start_on(broker: &str) -> (RunningApp, SocketAddr, SocketAddr) {
    let mut settings = Settings::from_yaml("http: {address: '127.0.0.1:0'}\nops: {address: '127.0.0.1:0'}").unwrap();
    settings.set("ops.token", TOKEN);
    let app = App::new().service::<Desk>().settings(settings).broker(broker).start().await.unwrap();
    let (http, ops) = (app.http_address().unwrap(), app.ops_address().unwrap());
    (app, http, ops)
}

/// A function that is not written to be done again, with its module.
const OF_A_FUNCTION: &str = concat!(module_path!(), "/once");

#[policy(name = "once", timeout = "1s")]
async fn _once() -> Result<(), kinoko::resilience::Refused> {
    Ok(())
}

/// Asks for a change, with a token.
async fn put(ops: SocketAddr, policy: &str, token: &str, body: &str) -> (u16, Value) {
    let policy = if policy.contains('/') { policy.to_owned() } else { format!("policies_desk_http/{policy}") };
    let length = body.len();
    let head = format!(
        "PUT /policies/{policy} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n"
    );
    let answer = Wire::to(ops).await.ask(format!("{head}{body}")).await;
    (answer.status, answer.json())
}

/// What the operations page looks at.
async fn look(ops: SocketAddr) -> Value {
    let head = format!("GET /operations/live HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n");
    Wire::to(ops).await.ask(head).await.json()
}

/// One of the policies of this service in a list of them.
fn of<'a>(policies: &'a Value, name: &str) -> &'a Value {
    let mut policies = policies.as_array().expect("a list").iter();
    policies.find(|policy| policy["service"] == "policies_desk_http" && policy["name"] == name).expect(name)
}

#[tokio::test]
async fn who_is_refused_is_told_by_status_and_when_to_come_again() {
    let (app, http, _) = start().await;
    let late = get(http, "/pay/never").await;
    assert_eq!((late.status, &late.json()["code"]), (504, &json!("TIMEOUT")));
    get(http, "/pay/badly").await;
    let open = get(http, "/pay/well").await;
    assert_eq!((open.status, &open.json()["code"]), (503, &json!("CIRCUIT_OPEN")));
    let wait: u64 = open.header("retry-after").unwrap().parse().unwrap();
    assert!((3590..=3600).contains(&wait), "{wait}");
    assert!(!open.text().contains("gateway"), "strangers are not told whom it is about: {open:?}");
    assert_eq!(get(http, "/mail").await.status, 200);
    let limited = get(http, "/mail").await;
    assert_eq!((limited.status, &limited.json()["code"]), (429, &json!("RATE_LIMITED")));
    assert_eq!(limited.header("retry-after"), Some("40"));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn operators_see_policies_force_circuits_and_change_settings() {
    let (app, http, ops) = start().await;
    assert_eq!(get(http, "/pay/well").await.status, 200);
    let seen = get(ops, "/policies").await.json();
    let gateway = &seen["policies"][0];
    assert_eq!((&gateway["name"], &gateway["circuit"]["state"]), (&json!("gateway"), &json!("closed")), "{seen}");
    assert_eq!((&gateway["calls"]["success"], &gateway["settings"]["timeout_seconds"]), (&json!(1), &json!(0.05)));
    assert_eq!(gateway["bulkhead"], json!({"busy": 0, "waiting": 0, "concurrency": 2}));
    assert_eq!(seen["policies"][1]["circuit"], Value::Null);

    assert_eq!(put(ops, "gateway", "another token of theirs", r#"{"circuit": "open"}"#).await.0, 401);
    let (status, gateway) = put(ops, "gateway", TOKEN, r#"{"circuit": "open"}"#).await;
    assert_eq!((status, &gateway["circuit"]["state"]), (200, &json!(BreakerState::ForcedOpen.name())));
    assert_eq!(get(http, "/pay/well").await.status, 503);
    let (_, gateway) = put(ops, "gateway", TOKEN, r#"{"circuit": "automatic", "settings": {"timeout": "2s"}}"#).await;
    assert_eq!(
        (&gateway["circuit"]["state"], &gateway["settings"]["timeout_seconds"]),
        (&json!("closed"), &json!(2.0))
    );
    assert_eq!(gateway["settings"]["breaker"]["min_calls"], 2, "what was not named stays");
    assert_eq!(get(http, "/pay/well").await.status, 200);

    for (policy, body, status, text) in [
        ("nobody", r#"{"circuit": "open"}"#, 404, "GET /policies lists them"),
        ("mail", r#"{"circuit": "open"}"#, 422, "`mail` has no circuit breaker"),
        ("gateway", r#"{"circuit": "ajar"}"#, 422, "unknown variant `ajar`"),
        ("gateway", r#"{"settings": {"timeout": "0s"}}"#, 422, "`timeout` is 0: write at least `1ms`"),
        ("gateway", r#"{"settings": {"tiemout": "1s"}}"#, 422, "tiemout"),
        (OF_A_FUNCTION, r#"{"settings": {"retry": {"max": 2}}}"#, 422, "is not written to be done again"),
    ] {
        let (told, problem) = put(ops, policy, TOKEN, body).await;
        assert_eq!(told, status, "{body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(text), "{body}: {problem}");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn dashboards_for_hystrix_are_told_in_its_words() {
    let (app, http, ops) = start().await;
    for how in ["well", "badly", "badly", "well"] {
        get(http, &format!("/pay/{how}")).await;
    }
    let mut wire = Wire::to(ops).await;
    wire.send("GET /hystrix.stream HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n").await;
    let text = wire.until(r#""name":"mail""#).await;
    assert!(text.contains("text/event-stream"), "{text}");
    let line = text.lines().find(|line| line.contains(r#""name":"gateway""#)).unwrap();
    let command: Value = serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
    for (key, value) in [
        ("type", json!("HystrixCommand")),
        ("group", json!("policies_desk_http")),
        ("isCircuitBreakerOpen", json!(true)),
        ("requestCount", json!(4)),
        ("errorCount", json!(3)),
        ("errorPercentage", json!(75)),
        ("rollingCountSuccess", json!(1)),
        ("rollingCountFailure", json!(1)),
        ("rollingCountShortCircuited", json!(2)),
        ("propertyValue_circuitBreakerRequestVolumeThreshold", json!(2)),
        ("propertyValue_executionIsolationSemaphoreMaxConcurrentRequests", json!(2)),
    ] {
        assert_eq!(command[key], value, "{key} in {command}");
    }
    assert!(command["latencyExecute"]["99.5"].is_u64() && command["latencyTotal"]["0"].is_u64(), "{command}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_snapshot_tells_what_calls_came_to_lately() {
    let (app, http, ops) = start().await;
    get(http, "/mail").await;
    let first = look(ops).await;
    let mail = of(&first["policies"], "mail");
    assert_eq!((&mail["calls"]["success"], &mail["recent"]), (&json!(1), &Value::Null), "nobody has looked before");
    for how in ["well", "badly", "well"] {
        get(http, &format!("/pay/{how}")).await;
    }
    let told = eventually(Duration::from_secs(20), "a snapshot that is new", || async {
        let told = look(ops).await;
        of(&told["policies"], "mail")["recent"].is_object().then_some(told)
    })
    .await;
    let gateway = of(&told["policies"], "gateway");
    assert_eq!(gateway["circuit"]["state"], "open", "it has what `GET /policies` has: {gateway}");
    let recent = &gateway["recent"];
    for (outcome, count) in [("success", 1), ("failure", 1), ("timeout", 0), ("circuit_open", 1)] {
        assert_eq!(recent["calls"][outcome], count, "{recent}");
    }
    let number = |key: &str| recent[key].as_f64().unwrap();
    assert!((number("rate") * number("seconds") - 3.0).abs() < 0.001, "{recent}");
    assert!((number("error_share") - 2.0 / 3.0).abs() < 0.001, "{recent}");
    assert!(number("p50_seconds") <= number("p99_seconds"), "{recent}");
    let mail = of(&told["policies"], "mail");
    assert_eq!((&mail["recent"]["calls"]["success"], &mail["recent"]["rate"]), (&json!(0), &json!(0.0)), "{mail}");
    assert_eq!((&mail["recent"]["error_share"], &mail["recent"]["p50_seconds"]), (&json!(0.0), &Value::Null));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn circuits_of_other_instances_are_gathered_over_the_broker() {
    let broker = format!("memory://{}", unique("policies-fleet"));
    let (app, _, ops) = start_on(&broker).await;
    let (other, http, other_ops) = start_on(&broker).await;
    get(http, "/pay/well").await;
    put(other_ops, "gateway", TOKEN, r#"{"circuit": "open"}"#).await;
    get(http, "/pay/well").await;
    let told = eventually(Duration::from_secs(20), "the other one's circuit is known", || async {
        let told = look(ops).await["fleet"]["policies"].take();
        let known = told["shown"].is_array() && of(&told["shown"], "gateway")["states"]["forced_open"] == 1;
        known.then_some(told)
    })
    .await;
    let gateway = &told["shown"][0];
    assert_eq!(gateway["name"], "gateway", "what is open comes first");
    assert_eq!((&gateway["instances"], &gateway["states"]["closed"]), (&json!(2), &json!(1)), "{gateway}");
    let counts = ["calls", "failed", "refused"].map(|key| gateway[key].as_u64());
    assert_eq!(counts, [Some(1), Some(0), Some(1)], "{gateway}");
    let open = &gateway["not_closed"][0];
    assert_eq!((&open["state"], &open["pid"]), (&json!("forced_open"), &json!(std::process::id())));
    assert_eq!((&open["is_this"], gateway["not_closed"].as_array().unwrap().len()), (&json!(false), 1));
    assert_eq!(of(&told["shown"], "mail")["states"]["closed"], 0, "it has no circuit breaker");
    app.stop().await.unwrap();
    other.stop().await.unwrap();
}

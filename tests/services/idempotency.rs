//! Calls under a key over RabbitMQ: from kinoko on its short path, by name in JSON, and from Python.

use std::sync::atomic::{AtomicU32, Ordering};

use kinoko::{
    Client,
    prelude::*,
    sql::{Database, Tx},
};
use kinoko_tests::{Python, amqp_uri, unique};
use serde_json::json;

static RUNS: AtomicU32 = AtomicU32::new(0);

#[derive(Dependencies)]
struct Counter {
    #[dependency(url = "sqlite::memory:")]
    db: Database,
}

#[service(name = "idempotency_amqp")]
impl Counter {
    #[rpc(idempotent)]
    async fn count(&self, #[inject] mut tx: Tx, name: String) -> kinoko::Result<(String, u32)> {
        let _: i64 = sqlx::query_scalar("SELECT 1").fetch_one(&mut *tx).await?;
        let _ = &self.db;
        Ok((name, RUNS.fetch_add(1, Ordering::SeqCst)))
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(
    not(python),
    ignore = "needs Python's Nameko: run ./test.sh, or set KINOKO_TEST_PYTHON_NAMEKO2 and _NAMEKO3"
)]
async fn a_call_is_done_once_whoever_makes_it_and_by_whatever_path() {
    let app = App::new().broker(amqp_uri()).service::<Counter>().start().await.unwrap();
    let (key, other) = (unique("key"), unique("key"));
    let (name, first) = app.client::<CounterClient>().count("ada".into()).idempotency_key(&key).await.unwrap();
    assert_eq!(name, "ada");
    let elsewhere = Client::connect(&amqp_uri()).await.unwrap();
    let by_name = elsewhere.proxy().call("idempotency_amqp", "count").kwarg("name", "ada");
    assert_eq!(by_name.idempotency_key(&key).await.unwrap(), json!(["ada", first]));
    elsewhere.close().await;
    for python in [Python::nameko2(), Python::nameko3()] {
        let call = |key: &str| {
            let (python, key) = (python.clone(), key.to_owned());
            tokio::task::spawn_blocking(move || python.call_with_key("idempotency_amqp", "count", &key, json!(["ada"])))
        };
        assert_eq!(call(&key).await.unwrap(), json!({"result": ["ada", first], "error": null}));
        let reply = call(&other).await.unwrap();
        assert_eq!(reply["result"], json!(["ada", first + 1]), "the second Python gets what the first one got");
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), first + 2);
    app.stop().await.unwrap();
}

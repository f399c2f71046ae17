//! Settings that change what goes over the broker.

use kinoko::{Client, Settings, prelude::*};
use kinoko_tests::{amqp_uri, unique};

#[derive(Dependencies)]
struct Elsewhere;

#[service(name = "settings_elsewhere", wire = "nameko")]
impl Elsewhere {
    #[rpc]
    fn here(&self) -> bool {
        true
    }
}

/// Nameko's setting `rpc_exchange`: who has another exchange is in another world.
async fn another_exchange_is_another_world(url: &str) {
    let with_exchange = |name: &str| {
        let mut settings = Settings::default();
        settings.set("rpc_exchange", name);
        settings
    };
    // Not unique: durable exchanges would be left on the broker for ever.
    let (ours, other) = ("kinoko-test-exchange", "kinoko-test-other-exchange");
    let app = App::new().service::<Elsewhere>().broker(url).settings(with_exchange(ours)).start().await.unwrap();
    let client = Client::connect_with(url, &with_exchange(ours)).await.unwrap();
    assert_eq!(client.proxy().call("settings_elsewhere", "here").await.unwrap(), true);
    let stranger = Client::connect_with(url, &with_exchange(other)).await.unwrap();
    let error = stranger.proxy().call("settings_elsewhere", "here").await.unwrap_err();
    assert!(matches!(error, CallError::UnknownService { .. }), "{error}");
    for client in [client, stranger] {
        client.close().await;
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn another_exchange_is_another_world_in_memory() {
    another_exchange_is_another_world(&format!("memory://{}", unique("settings"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn another_exchange_is_another_world_on_rabbitmq() {
    another_exchange_is_another_world(&amqp_uri()).await;
}

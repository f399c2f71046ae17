//! The testing module over a real broker.

use kinoko::{prelude::*, testing::TestApp};
use kinoko_tests::amqp_uri;

#[derive(Dependencies)]
struct Inner {
    #[dependency(key = "testing_inner.word")]
    word: Config<String>,
}

#[service(name = "testing_inner")]
impl Inner {
    #[rpc]
    fn word(&self, #[inject] cx: WorkerContext) -> String {
        format!("{} {}", *self.word, cx.get("language").and_then(|language| language.as_str()).unwrap_or("?"))
    }
}

#[derive(Dependencies)]
struct Outer {
    inner: InnerClient,
}

#[service(name = "testing_outer")]
impl Outer {
    #[rpc]
    async fn word(&self) -> kinoko::Result<String> {
        Ok(self.inner.word().await?)
    }
}

#[tokio::test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_test_over_rabbitmq_is_written_as_one_in_memory() {
    for broker in ["memory://".to_owned(), amqp_uri()] {
        let app = TestApp::new().service::<Inner>().service::<Outer>().broker(broker);
        let app = app.replace(Config::fixed("replaced".to_owned())).start().await.unwrap();
        let inner = app.waiter("testing_inner", "word");
        let outer = app.hook().language("de").client::<OuterClient>();
        assert_eq!(outer.word().await.unwrap(), "replaced de");
        assert_eq!(inner.await.unwrap().returned::<String>().unwrap(), "replaced de");
        app.stop().await.unwrap();
    }
}

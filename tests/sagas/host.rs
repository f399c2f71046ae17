//! A service that hosts a saga.

use kinoko::{
    prelude::*,
    saga::{SagaEvent, SagaStore},
    testing::TestApp,
};

use super::{Journal, Order, PlaceOrder, Plan, Receipt, order};

#[derive(Dependencies)]
struct Orders {
    #[dependency(events = true)]
    place_order: Saga<PlaceOrder>,
}

#[service(name = "saga_orders")]
impl Orders {
    #[rpc]
    async fn place(&self, id: String, order: Order) -> kinoko::Result<Receipt> {
        Ok(self.place_order.start(id, order).await?.await?)
    }
}

#[derive(Dependencies)]
struct Watcher {
    journal: Journal,
    sagas: SagaStore,
}

#[service(name = "saga_watcher")]
impl Watcher {
    #[event_handler(source = "saga_orders", event = "saga_started")]
    fn started(&self, event: SagaEvent) {
        self.journal.note(format!("started {} {}", event.saga, event.id));
    }

    #[event_handler(source = "saga_orders", event = "saga_completed")]
    fn completed(&self, event: SagaEvent) {
        self.journal.note(format!("completed {}", event.id));
    }

    #[event_handler(source = "saga_orders", event = "saga_compensated")]
    fn compensated(&self, event: SagaEvent) {
        self.journal.note(format!("compensated {}: {}", event.id, event.reason.unwrap_or_default()));
    }

    #[event_handler(source = "saga_orders", event = "saga_parked")]
    fn parked(&self, event: SagaEvent) {
        self.journal.note(format!("parked {} at {}", event.id, event.step.unwrap_or_default()));
    }

    #[rpc]
    fn hosted(&self) -> Vec<String> {
        self.sagas.hosted().iter().map(|saga| format!("{} of {}", saga.info().name, saga.service())).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_tells_of_its_sagas_by_events() {
    let (own, watched) = (Journal::default(), Journal::default());
    let app = TestApp::new().service::<Orders>().service::<Watcher>();
    let app = app.replace_in("saga_orders", own.clone()).replace_in("saga_watcher", watched.clone());
    let app = app.start().await.unwrap();
    let orders = app.client::<OrdersClient>();
    let told = async |id: &str, event: &str| {
        let (started, fired) = (app.waiter("saga_watcher", "started"), app.waiter("saga_watcher", event));
        let answer = orders.place(id.to_owned(), order(30)).await;
        started.await.unwrap();
        fired.await.unwrap();
        answer
    };
    assert_eq!(told("1", "completed").await.unwrap(), Receipt("lamp, 30 paid".into()));
    own.plan("charge", &[Plan::Refuse]);
    told("2", "compensated").await.unwrap_err();
    own.plan("send", &[Plan::Refuse; 2]);
    told("3", "parked").await.unwrap_err();
    let mut lines = watched.lines();
    lines.sort();
    assert_eq!(
        lines,
        [
            "compensated 2: Refused: charge was refused",
            "completed 1",
            "parked 3 at send",
            "started place_order 1",
            "started place_order 2",
            "started place_order 3",
        ]
    );
    assert_eq!(app.client::<WatcherClient>().hosted().await.unwrap(), ["place_order of saga_orders"]);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_log_that_nobody_knows_ends_the_start() {
    let app = TestApp::new().service::<Orders>().yaml("saga: { log: \"paper:drawer\" }");
    let error = app.start().await.unwrap_err();
    assert!(error.to_string().contains("no log of sagas is opened by such a URL: write `memory://`"), "{error}");
}

//! What is over is kept for a while.

use std::time::Duration;

use kinoko::{
    prelude::*,
    saga::{MemoryLog, SagaId, SagaLog},
    testing::TestApp,
};
use kinoko_tests::unique;
use tokio::time::Instant;

use super::{Journal, PlaceOrder, Plan, Receipt, order};

#[derive(Dependencies)]
struct Orders {
    place_order: Saga<PlaceOrder>,
}

#[service(name = "saga_kept")]
impl Orders {
    #[rpc]
    async fn place(&self, id: String, price: u32) -> kinoko::Result<Receipt> {
        Ok(self.place_order.start(id, order(price)).await?.await?)
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_removed_after_its_time_and_its_id_is_free() {
    let (name, journal) = (unique("kept"), Journal::default());
    let log = MemoryLog::named(&name);
    let settings = format!("saga: {{ log: \"memory://{name}\", keep: 2h }}");
    let app = TestApp::new().service::<Orders>().yaml(&settings).replace(journal.clone()).start().await.unwrap();
    let orders = app.client::<OrdersClient>();
    let is_there = async |id: &str| log.load(&SagaId::new("place_order", id)).await.unwrap().is_some();
    let began = Instant::now();
    orders.place("completed".into(), 30).await.unwrap();
    journal.plan("pack", &[Plan::Refuse]);
    orders.place("compensated".into(), 30).await.unwrap_err();
    journal.plan("send", &[Plan::Refuse; 2]);
    orders.place("parked".into(), 30).await.unwrap_err();
    // Another input under its id would be another saga.
    orders.place("completed".into(), 40).await.unwrap_err();

    while is_there("completed").await || is_there("compensated").await {
        assert!(began.elapsed() < Duration::from_secs(3 * 60 * 60), "they are kept for too long");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(began.elapsed() >= Duration::from_secs(2 * 60 * 60), "after {:?}", began.elapsed());
    assert!(is_there("parked").await, "somebody has to look at it");
    assert_eq!(orders.place("completed".into(), 40).await.unwrap(), Receipt("lamp, 40 paid".into()));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_kept_for_a_lease_at_least() {
    let app = TestApp::new().service::<Orders>().yaml("saga: { lease: 1m, keep: 59s }");
    let error = app.start().await.unwrap_err().to_string();
    assert!(error.contains("`saga.keep`") && error.contains("write at least what `saga.lease` says"), "{error}");
}

//! What one process leaves, another one does.

use std::{sync::Arc, time::Duration};

use kinoko::{
    saga::{Instance, MemoryLog, SagaId, SagaLog, SagaState, What},
    testing::{RunningTestApp, TestApp},
};
use kinoko_tests::unique;

use super::{Journal, Plan, order};

mod first {
    use super::super::PlaceOrder;
    use kinoko::prelude::*;

    #[derive(Dependencies)]
    pub(super) struct Orders {
        pub place_order: Saga<PlaceOrder>,
    }

    #[service(name = "saga_takeover")]
    impl Orders {
        #[rpc]
        async fn start(&self, id: String) -> kinoko::Result<()> {
            drop(self.place_order.start(id, super::super::order(30)).await?);
            Ok(())
        }

        #[rpc]
        async fn retry(&self, id: String) -> kinoko::Result<()> {
            Ok(self.place_order.retry(&id).await?)
        }
    }
}

/// The same saga after somebody changed it.
mod changed {
    use super::super::Order;
    use kinoko::prelude::*;

    #[derive(Dependencies)]
    pub(super) struct PlaceOrder;

    #[saga(name = "place_order")]
    impl PlaceOrder {
        #[step]
        fn other(&self, order: &Order) -> u32 {
            order.price
        }
    }

    #[derive(Dependencies)]
    pub(super) struct Orders {
        pub place_order: Saga<PlaceOrder>,
    }

    #[service(name = "saga_takeover")]
    impl Orders {
        #[rpc]
        fn nothing(&self) {}
    }
}

/// A log that several apps of this test share, and each of them.
struct Fleet {
    log: Arc<MemoryLog>,
    settings: String,
    journal: Journal,
}

impl Fleet {
    fn new() -> Self {
        let name = unique("takeover");
        let settings = format!("saga: {{ log: \"memory://{name}\" }}");
        Self { log: MemoryLog::named(&name), settings, journal: Journal::default() }
    }

    async fn instance(&self) -> RunningTestApp {
        let app = TestApp::new().service::<first::Orders>().yaml(&self.settings).replace(self.journal.clone());
        app.start().await.unwrap()
    }

    async fn changed_instance(&self) -> RunningTestApp {
        TestApp::new().service::<changed::Orders>().yaml(&self.settings).start().await.unwrap()
    }

    async fn begins(&self, app: &RunningTestApp) {
        app.client::<first::OrdersClient>().start("17".into()).await.unwrap();
        while self.journal.lines().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    /// Looks each second of a clock that stands still otherwise.
    async fn until(&self, state: SagaState) -> Instance {
        let id = SagaId::new("place_order", "17");
        let mut seconds = tokio::time::interval(Duration::from_secs(1));
        loop {
            let found = self.log.load(&id).await.unwrap();
            if let Some(instance) = found.filter(|instance| instance.state == state) {
                return instance;
            }
            seconds.tick().await;
        }
    }

    async fn happened(&self, what: What) -> usize {
        let timeline = self.log.timeline(&SagaId::new("place_order", "17")).await.unwrap();
        timeline.iter().filter(|entry| entry.what.what == what).count()
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_stopped_process_was_in_the_middle_of_is_repeated_by_another() {
    let fleet = Fleet::new();
    fleet.journal.plan("reserve", &[Plan::Hang]);
    let first = fleet.instance().await;
    fleet.begins(&first).await;
    let second = fleet.instance().await;
    first.stop().await.unwrap();
    let instance = fleet.until(SagaState::Completed).await;
    assert_eq!(instance.input, serde_json::to_value(order(30)).unwrap());
    assert_eq!(fleet.journal.lines()[..3], ["reserve lamp", "reserve lamp", "charge 30 for lamp"]);
    assert_eq!(fleet.happened(What::TakenOver).await, 1);
    assert_eq!(fleet.happened(What::Unknown).await, 1, "the first attempt may have happened");
    second.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stopping_process_releases_what_is_between_two_attempts() {
    let fleet = Fleet::new();
    fleet.journal.plan("reserve", &[Plan::RefuseForNow]);
    let first = fleet.instance().await;
    fleet.begins(&first).await;
    first.stop().await.unwrap();
    let second = fleet.instance().await;
    fleet.until(SagaState::Completed).await;
    assert_eq!(fleet.journal.lines()[..3], ["reserve lamp", "reserve lamp", "charge 30 for lamp"]);
    assert_eq!(fleet.happened(What::TakenOver).await, 0, "nothing was left in the middle");
    second.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn another_definition_parks_what_it_cannot_run() {
    let fleet = Fleet::new();
    fleet.journal.plan("reserve", &[Plan::RefuseForNow]);
    let first = fleet.instance().await;
    fleet.begins(&first).await;
    first.stop().await.unwrap();

    let changed = fleet.changed_instance().await;
    let parked = fleet.until(SagaState::Parked).await.progress.parked.unwrap();
    let wanted = "it was begun with other steps: version 1 (Order > reserve/release: Reservation > charge?/refund: Payment > \
                  pack/: Parcel > send/: Receipt), and this program has version 1 (Order > other/: u32); retry it in a program \
                  that has its steps";
    assert_eq!(parked.reason, wanted);
    changed.stop().await.unwrap();

    let again = fleet.instance().await;
    again.client::<first::OrdersClient>().retry("17".into()).await.unwrap();
    fleet.until(SagaState::Completed).await;
    assert_eq!(fleet.journal.lines().len(), 5);
    again.stop().await.unwrap();
}

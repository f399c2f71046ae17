//! What features count.

use std::time::Duration;

use kinoko::{
    prelude::*,
    saga::{Saga, SagaState},
    sql::Database,
};
use kinoko_tests::eventually;
use serde::{Deserialize, Serialize};

use crate::scrape::{scrape, settings};

#[derive(Serialize, Deserialize)]
struct Cart {
    lines: u32,
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum Empty {
    #[error("there is nothing in it")]
    Nothing,
}

#[derive(Dependencies)]
struct CheckOut;

#[saga(name = "check_out")]
impl CheckOut {
    #[step(compensate = unpack)]
    fn pack(&self, cart: &Cart) -> u32 {
        cart.lines
    }

    fn unpack(&self, _: u32) {}

    #[step]
    fn pay(&self, cart: &Cart) -> Result<bool, Empty> {
        if cart.lines == 0 { Err(Empty::Nothing) } else { Ok(true) }
    }
}

#[derive(Dependencies)]
struct CountedShop {
    #[dependency(key = "counted_shop.database", url = "sqlite::memory:")]
    db: Database,
    events: EventDispatcher,
    check_out: Saga<CheckOut>,
}

#[service(name = "counted_shop")]
impl CountedShop {
    #[rpc]
    async fn buy(&self, id: String, lines: u32) -> kinoko::Result<SagaState> {
        let handle = self.check_out.start(&id, Cart { lines }).await?;
        let _ = handle.await;
        let status = self.check_out.status(&id).await?.expect("it was started");
        Ok(status.instance.state)
    }

    #[rpc]
    async fn tell(&self) -> kinoko::Result<()> {
        let mut tx = self.db.begin().await?;
        self.events.in_tx(&mut tx).dispatch_to("counted_shop", "told", &1).await?;
        tx.commit().await?;
        Ok(())
    }
}

#[tokio::test]
async fn sagas_at_rest_and_messages_of_the_outbox_are_counted() {
    let app = App::new().service::<CountedShop>().settings(settings("{}")).start().await.unwrap();
    let shop = app.client::<CountedShopClient>();
    for (id, lines, state) in
        [("a", 1, SagaState::Completed), ("b", 2, SagaState::Completed), ("c", 0, SagaState::Compensated)]
    {
        assert_eq!(shop.buy(id.to_owned(), lines).await.unwrap(), state);
    }
    shop.tell().await.unwrap();
    let relayed = "kinoko_outbox_relayed_total{outcome=\"sent\"}";
    let seen = eventually(Duration::from_secs(10), "it is relayed", || async {
        let scrape = scrape(&app).await;
        (scrape.value(relayed) == Some(1.0)).then_some(scrape)
    })
    .await;
    let sagas = |state: &str| {
        seen.value(&format!("kinoko_sagas_total{{service=\"counted_shop\",saga=\"check_out\",state=\"{state}\"}}"))
    };
    assert_eq!([sagas("completed"), sagas("compensated")], [Some(2.0), Some(1.0)]);
    let steps = |method: &str, outcome: &str| {
        seen.value(&format!(
            "kinoko_workers_total{{service=\"counted_shop\",method=\"{method}\",entrypoint=\"saga\",outcome=\"{outcome}\"}}"
        ))
    };
    assert_eq!([steps("pay", "ok"), steps("pay", "expected_error"), steps("unpack", "ok")], [2.0, 1.0, 1.0].map(Some));
    app.stop().await.unwrap();
}

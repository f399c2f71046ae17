//! The service as a plain struct, over a gateway that fails in each way: no framework runs.

use std::time::Duration;

use contracts::{Payment, PaymentDeclined, PaymentError, PaymentSettled, PaymentState};
use gateway::{Counts, Gateway, Outage, Switch};
use kinoko::{
    EventDispatcher, IdempotencyKey,
    event::Recorded,
    resilience::{BreakerState, CircuitBreaker, Policy, PolicySettings, Retry, Window},
    sql::{Database, Migrations},
    testing::TestDatabase,
};
use payments_service::{BATCH, PaymentsService};

const TIMEOUT: Duration = Duration::from_millis(50);

struct Stage {
    payments: PaymentsService,
    gateway: Gateway,
    policy: Policy,
    events: Recorded,
    db: Database,
    _database: TestDatabase,
}

impl Stage {
    async fn open() -> kinoko::Result<Self> {
        let database = TestDatabase::sqlite().await?;
        database.database().await?.migrate(&payments_service::tables()).await?;
        Self::over(database).await
    }

    async fn over(database: TestDatabase) -> kinoko::Result<Self> {
        let (db, gateway) = (database.database().await?, Gateway::open("127.0.0.1:0").await?);
        let (dispatcher, events) = EventDispatcher::recording();
        let retry = Retry { max: 1, idempotent: true, ..Retry::default() };
        let policy = Policy::builder("gateway").attempt_timeout(TIMEOUT).retry(retry).build()?;
        let client = payments_service::Gateway::at(&gateway.url())?;
        let payments = PaymentsService::new(db.clone(), client, policy.clone(), dispatcher);
        Ok(Self { payments, gateway, policy, events, db, _database: database })
    }

    async fn charge(&self, order_id: u64) -> Result<Payment, PaymentError> {
        self.payments.charge(IdempotencyKey(format!("key-{order_id}")), order_id, 500).await
    }

    async fn state(&self, order_id: u64) -> PaymentState {
        self.payments.get(order_id).await.unwrap().state
    }

    fn counts(&self) -> Counts {
        self.gateway.counts()
    }
}

#[tokio::test]
async fn what_a_dead_gateway_does_not_charge_is_pending_until_it_is_back() -> kinoko::Result<()> {
    for outage in [Outage::Refuses, Outage::Silent] {
        let stage = Stage::open().await?;
        stage.gateway.switch(Switch::down(outage));
        assert_eq!(stage.charge(1).await.unwrap().state, PaymentState::Pending);
        stage.payments.settle().await?;
        assert_eq!(stage.charge(1).await.unwrap().state, PaymentState::Pending, "nothing is known yet");

        stage.gateway.switch(Switch::default());
        stage.payments.settle().await?;
        assert_eq!(stage.state(1).await, PaymentState::Charged);
        assert_eq!(stage.events.events::<PaymentSettled>()?, [PaymentSettled { order_id: 1, cents: 500 }]);

        let asked = stage.counts().requests;
        stage.payments.settle().await?;
        assert_eq!(stage.counts().requests, asked, "what is settled is asked about no more");
        assert_eq!(stage.counts().charges, 1);
    }
    Ok(())
}

#[tokio::test]
async fn whoever_asks_again_may_settle_it_too() -> kinoko::Result<()> {
    let stage = Stage::open().await?;
    stage.gateway.switch(Switch::down(Outage::Refuses));
    assert_eq!(stage.charge(1).await.unwrap().state, PaymentState::Pending);
    stage.gateway.switch(Switch::default());
    assert_eq!(stage.charge(1).await.unwrap().state, PaymentState::Charged);
    assert_eq!(stage.events.events::<PaymentSettled>()?.len(), 1, "somebody heard that it was pending");
    // Who hears of it by the answer needs no event.
    assert_eq!(stage.charge(2).await.unwrap().state, PaymentState::Charged);
    assert_eq!(stage.events.events::<PaymentSettled>()?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_is_declined_in_the_end_is_told() -> kinoko::Result<()> {
    let stage = Stage::open().await?;
    stage.gateway.switch(Switch::down(Outage::Refuses));
    stage.charge(1).await.unwrap();
    stage.gateway.switch(Switch { limit_cents: 0, ..Switch::default() });
    stage.payments.settle().await?;
    assert!(matches!(stage.payments.get(1).await, Err(PaymentError::Declined { cents: 500 })));
    assert_eq!(stage.events.events::<PaymentDeclined>()?, [PaymentDeclined { order_id: 1, cents: 500 }]);
    Ok(())
}

#[tokio::test]
async fn a_charge_whose_answer_never_came_is_not_made_twice() -> kinoko::Result<()> {
    let stage = Stage::open().await?;
    // It charges, and answers when nobody listens any more.
    stage.gateway.switch(Switch::slow(TIMEOUT * 100));
    assert_eq!(stage.charge(1).await.unwrap().state, PaymentState::Pending);
    assert_eq!((stage.counts().requests, stage.counts().charges), (2, 1), "asked again under the same key");
    stage.gateway.switch(Switch::default());
    stage.payments.settle().await?;
    assert_eq!(stage.state(1).await, PaymentState::Charged);
    assert_eq!(stage.counts().charges, 1);
    Ok(())
}

#[tokio::test]
async fn a_gateway_that_fails_now_and_then_charges_each_order_once() -> kinoko::Result<()> {
    const ORDERS: u64 = 40;
    let stage = Stage::open().await?;
    stage.gateway.switch(Switch { errors: 0.5, ..Switch::default() });
    for order in 1..=ORDERS {
        stage.charge(order).await.unwrap();
    }
    for order in 1..=ORDERS {
        // A tick ends with the first that fails.
        while stage.state(order).await == PaymentState::Pending {
            stage.payments.settle().await?;
        }
    }
    assert_eq!((stage.counts().charges, stage.counts().orders), (ORDERS, ORDERS));
    assert!(stage.counts().requests > ORDERS);
    Ok(())
}

#[tokio::test]
async fn a_pending_payment_that_is_refunded_is_never_charged() -> kinoko::Result<()> {
    let stage = Stage::open().await?;
    stage.gateway.switch(Switch::down(Outage::Refuses));
    stage.charge(1).await.unwrap();
    stage.payments.refund(1).await?;
    assert!(matches!(stage.charge(1).await, Err(PaymentError::Refunded(1))));

    stage.gateway.switch(Switch::default());
    stage.payments.settle().await?;
    assert!(matches!(stage.charge(1).await, Err(PaymentError::Refunded(1))));
    assert_eq!((stage.counts().charges, stage.counts().refunds), (0, 0));
    assert!(stage.events.events::<PaymentSettled>()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn money_that_was_taken_without_an_answer_is_given_back() -> kinoko::Result<()> {
    let stage = Stage::open().await?;
    stage.gateway.switch(Switch::slow(TIMEOUT * 100));
    stage.charge(1).await.unwrap();
    stage.gateway.switch(Switch::down(Outage::Silent));
    stage.payments.refund(1).await?;
    assert_eq!((stage.counts().charges, stage.counts().refunds), (1, 0));

    stage.gateway.switch(Switch::default());
    for _ in 0..2 {
        stage.payments.settle().await?;
        assert_eq!((stage.counts().charges, stage.counts().refunds), (1, 1));
    }
    Ok(())
}

#[tokio::test]
async fn while_the_circuit_is_open_nobody_asks_the_gateway() -> kinoko::Result<()> {
    let stage = Stage::open().await?;
    let breaker = CircuitBreaker { window: Window::Calls(2), min_calls: 2, ..CircuitBreaker::default() };
    stage.policy.configure(PolicySettings { breaker: Some(breaker), ..stage.policy.settings() })?;
    stage.gateway.switch(Switch::down(Outage::Refuses));
    stage.charge(1).await.unwrap();
    assert_eq!(stage.policy.state(), Some(BreakerState::Open));

    let asked = stage.counts().requests;
    for order in 2..10 {
        assert_eq!(stage.charge(order).await.unwrap().state, PaymentState::Pending);
    }
    stage.payments.settle().await?;
    assert_eq!(stage.counts().requests, asked);
    Ok(())
}

#[tokio::test]
async fn one_payment_that_never_settles_holds_up_no_other() -> kinoko::Result<()> {
    const BROKEN: u64 = 1;
    let stage = Stage::open().await?;
    stage.policy.configure(PolicySettings::default())?;
    stage.gateway.switch(Switch::down(Outage::Refuses));
    for order in BROKEN..40 {
        stage.charge(order).await.unwrap();
    }
    stage.gateway.switch(Switch { broken_order: Some(BROKEN), ..Switch::default() });
    // The first tick ends with it, the second begins with the others.
    for _ in 0..2 {
        stage.payments.settle().await?;
    }
    assert_eq!(stage.state(BROKEN).await, PaymentState::Pending);
    for order in BROKEN + 1..40 {
        assert_eq!(stage.state(order).await, PaymentState::Charged, "{order}");
    }
    Ok(())
}

#[tokio::test]
async fn a_refund_that_overtakes_its_charge_holds() -> kinoko::Result<()> {
    let stage = Stage::open().await?;
    stage.policy.configure(PolicySettings::default())?;
    stage.gateway.switch(Switch::slow(Duration::from_secs(1)));
    let refund = async {
        while stage.counts().requests == 0 {
            tokio::task::yield_now().await;
        }
        stage.gateway.switch(Switch::default());
        stage.payments.refund(1).await
    };
    let (charged, refunded) = tokio::join!(stage.charge(1), refund);
    refunded?;
    // The gateway's answer was that it is charged.
    assert!(matches!(charged, Err(PaymentError::Refunded(1))), "{charged:?}");
    assert_eq!((stage.counts().charges, stage.counts().refunds), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_tick_of_the_timer_has_an_end() -> kinoko::Result<()> {
    let stage = Stage::open().await?;
    for order in 0..=i64::from(BATCH) {
        let pending = "INSERT INTO charge VALUES ($1, 'key-' || $1, 500, 'pending', 0, 0)";
        sqlx::query(pending).bind(order).execute(&*stage.db).await?;
    }
    for charged in [BATCH, BATCH + 1] {
        stage.payments.settle().await?;
        assert_eq!(stage.counts().charges, u64::from(charged));
    }
    Ok(())
}

#[tokio::test]
async fn books_of_before_there_was_a_gateway_are_taken_over() -> kinoko::Result<()> {
    let database = TestDatabase::sqlite().await?;
    let db = database.database().await?;
    let first = "CREATE TABLE payment (order_id BIGINT PRIMARY KEY, cents BIGINT NOT NULL, refunded BIGINT NOT NULL)";
    db.migrate(&Migrations::new([(1, first)])).await?;
    sqlx::query("INSERT INTO payment VALUES (1, 500, 0), (2, 700, 1)").execute(&*db).await?;
    db.migrate(&payments_service::tables()).await?;
    let stage = Stage::over(database).await?;
    assert_eq!(stage.charge(1).await.unwrap().state, PaymentState::Charged);
    assert!(matches!(stage.charge(2).await, Err(PaymentError::Refunded(2))));
    assert_eq!(stage.counts().requests, 0);
    Ok(())
}

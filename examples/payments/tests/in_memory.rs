//! The payments in their container, over a database that is thrown away and a gateway that is simulated.

use contracts::{OrderCancelled, Payment, PaymentError, PaymentState, PaymentsClient};
use gateway::{Gateway, Outage, Switch};
use kinoko::{
    CallError,
    testing::{RunningTestApp, TestApp},
};
use payments_service::PaymentsService;

async fn start(gateway: &Gateway) -> kinoko::Result<RunningTestApp> {
    start_with(gateway, "0s").await
}

async fn start_with(gateway: &Gateway, settle_after: &str) -> kinoko::Result<RunningTestApp> {
    let settings = format!("payments: {{gateway: '{}', settle_after: {settle_after}}}", gateway.url());
    TestApp::new().service::<PaymentsService>().yaml(&settings).start().await
}

#[tokio::test]
async fn an_order_is_charged_once() -> kinoko::Result<()> {
    let gateway = Gateway::open("127.0.0.1:0").await?;
    let app = start(&gateway).await?;
    let payments = app.client::<PaymentsClient>();
    let first = payments.charge(1, 500).await?;
    assert_eq!(first, Payment { order_id: 1, cents: 500, state: PaymentState::Charged });
    // Neither under a key nor without one.
    assert_eq!(payments.charge(1, 500).await?, first);
    for _ in 0..2 {
        assert_eq!(payments.charge(2, 700).idempotency_key("order-2").await?.cents, 700);
    }
    assert_eq!((gateway.counts().requests, gateway.counts().charges), (2, 2));
    app.stop().await
}

#[tokio::test]
async fn what_was_refunded_cannot_be_charged_any_more() -> kinoko::Result<()> {
    let gateway = Gateway::open("127.0.0.1:0").await?;
    let app = start(&gateway).await?;
    let payments = app.client::<PaymentsClient>();
    payments.charge(1, 500).await?;
    payments.refund(1).await?;
    payments.refund(1).await?;
    // The refund of a charge that comes too late.
    payments.refund(2).await?;
    for order in [1, 2] {
        let late = payments.charge(order, 500).await;
        assert!(matches!(late, Err(CallError::Service(PaymentError::Refunded(id))) if id == order), "{late:?}");
    }
    assert_eq!((gateway.counts().charges, gateway.counts().refunds), (1, 1));
    app.stop().await
}

#[tokio::test]
async fn the_bank_declines_what_costs_too_much() -> kinoko::Result<()> {
    let gateway = Gateway::open("127.0.0.1:0").await?;
    gateway.switch(Switch { limit_cents: 100, ..Switch::default() });
    let app = start(&gateway).await?;
    let payments = app.client::<PaymentsClient>();
    for declined in [payments.charge(1, 101).await, payments.get(1).await, payments.charge(1, 101).await] {
        assert!(matches!(declined, Err(CallError::Service(PaymentError::Declined { cents: 101 }))), "{declined:?}");
    }
    let unknown = payments.get(2).await;
    assert!(matches!(unknown, Err(CallError::Service(PaymentError::Unknown(2)))), "{unknown:?}");
    app.stop().await
}

#[tokio::test]
async fn the_timer_settles_what_is_pending() -> kinoko::Result<()> {
    let gateway = Gateway::open("127.0.0.1:0").await?;
    gateway.switch(Switch::down(Outage::Refuses));
    let app = start(&gateway).await?;
    let payments = app.client::<PaymentsClient>();
    assert_eq!(payments.charge(1, 500).idempotency_key("order-1").await?.state, PaymentState::Pending);
    gateway.switch(Switch::default());
    while payments.get(1).await?.state == PaymentState::Pending {
        assert!(app.waiter("payments", "settle").await?.is_ok());
    }
    assert_eq!(gateway.counts().charges, 1);
    app.stop().await
}

#[tokio::test]
async fn the_timer_leaves_a_young_payment_to_its_own_call() -> kinoko::Result<()> {
    let gateway = Gateway::open("127.0.0.1:0").await?;
    gateway.switch(Switch::down(Outage::Refuses));
    let app = start_with(&gateway, "1h").await?;
    app.client::<PaymentsClient>().charge(1, 500).await?;
    let asked = gateway.counts().requests;
    assert!(app.waiter("payments", "settle").await?.is_ok());
    assert_eq!(gateway.counts().requests, asked);
    app.stop().await
}

#[tokio::test]
async fn what_was_charged_for_a_cancelled_order_is_given_back() -> kinoko::Result<()> {
    let gateway = Gateway::open("127.0.0.1:0").await?;
    let app = start(&gateway).await?;
    app.client::<PaymentsClient>().charge(1, 500).await?;
    let given_back = app.waiter("payments", "give_back");
    app.events().dispatch(&OrderCancelled { order_id: 1 }).await?;
    assert!(given_back.await?.is_ok());
    assert_eq!(gateway.counts().refunds, 1);
    app.stop().await
}

#[tokio::test]
async fn a_program_that_knows_no_gateway_does_not_start() {
    for settings in ["{}", "payments: {gateway: 'localhost'}"] {
        let error = TestApp::new().service::<PaymentsService>().yaml(settings).start().await.unwrap_err().chain();
        assert!(error.contains("payments.gateway"), "{error}");
    }
}

//! The payments in their container, over a database that is thrown away.

use contracts::{PaymentError, PaymentsClient};
use kinoko::{CallError, testing::TestApp};
use payments_service::PaymentsService;

#[tokio::test]
async fn an_order_is_charged_once() -> kinoko::Result<()> {
    let app = TestApp::new().service::<PaymentsService>().start().await?;
    let payments = app.client::<PaymentsClient>();
    let first = payments.charge(1, 500).await?;
    assert_eq!((first.order_id, first.cents), (1, 500));
    // Neither under a key nor without one.
    assert_eq!(payments.charge(1, 500).await?, first);
    for _ in 0..2 {
        assert_eq!(payments.charge(2, 700).idempotency_key("order-2").await?.cents, 700);
    }
    app.stop().await
}

#[tokio::test]
async fn what_was_refunded_cannot_be_charged_any_more() -> kinoko::Result<()> {
    let app = TestApp::new().service::<PaymentsService>().start().await?;
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
    app.stop().await
}

#[tokio::test]
async fn the_bank_declines_what_costs_too_much() -> kinoko::Result<()> {
    let app = TestApp::new().service::<PaymentsService>().yaml("payments: {limit_cents: 100}").start().await?;
    let declined = app.client::<PaymentsClient>().charge(1, 101).await;
    assert!(matches!(declined, Err(CallError::Service(PaymentError::Declined { cents: 101 }))), "{declined:?}");
    app.stop().await
}

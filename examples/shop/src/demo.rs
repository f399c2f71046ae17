//! Buys something, and shows what refusals look like.

use std::{io::Write, time::Duration};

use contracts::{
    InventoryClient, InventoryError, Line, OrderError, OrdersClient, PaymentError, PaymentState, PaymentsClient, Sku,
};
use gateway::{Gateway, Outage, Switch};
use kinoko::{CallError, RunningApp, Settings};

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demo {
    /// An order is placed and cancelled, others are refused.
    Buys,
    /// The bank declines everything: what was done for an order is taken back.
    PaymentsFail,
    /// The gateway does not answer: an order is placed all the same, and paid when it is back.
    GatewayFails,
}

/// Runs a demonstration in memory and writes what happened.
///
/// # Errors
///
/// When anything happened that should not.
pub async fn run(demo: Demo, out: &mut impl Write) -> kinoko::Result<()> {
    // Of a demonstration nothing is left: no broker, no file.
    let mut settings = Settings::default();
    settings.set("saga.log", "memory://");
    for database in ["orders.database.url", "payments.database.url"] {
        settings.set(database, "sqlite::memory:");
    }
    settings.set("payments.settle_after", "1s");
    let gateway = Gateway::open("127.0.0.1:0").await?;
    let app = crate::app(&gateway).settings(settings).broker("memory://").start().await?;
    match demo {
        Demo::Buys => buy(&app, out).await?,
        Demo::PaymentsFail => fail_to_pay(&app, &gateway, out).await?,
        Demo::GatewayFails => pay_later(&app, &gateway, out).await?,
    }
    app.stop().await
}

async fn buy(app: &RunningApp, out: &mut impl Write) -> kinoko::Result<()> {
    let (orders, inventory) = (app.client::<OrdersClient>(), app.client::<InventoryClient>());
    let teapots = Sku::new("TEAPOT");

    writeln!(out, "In stock: {} teapots", inventory.available(teapots.clone()).await?)?;
    let place = orders.place("Ada".into(), vec![Line::new("TEAPOT", 2), Line::new("CUP", 4)]);
    let order = place.idempotency_key("ada-1").await?;
    writeln!(out, "Order {} placed for {}:", order.id, order.customer)?;
    for line in &order.lines {
        writeln!(out, "  {} × {}", line.quantity, line.sku)?;
    }
    tell(&orders, "ada-1", out).await?;
    let left = inventory.available(teapots.clone()).await?;
    writeln!(out, "In stock: {left} teapots")?;

    orders.cancel(order.id).await?;
    writeln!(out, "Order {} cancelled", order.id)?;
    // The inventory hears of it by an event, so it takes a moment.
    let mut again = left;
    while again == left {
        again = inventory.available(teapots.clone()).await?;
    }
    writeln!(out, "In stock: {again} teapots")?;

    // The inventory's own error, through the saga and the orders service, as the type that it is.
    match orders.place("Grace".into(), vec![Line::new("LAST-ONE", 2)]).await {
        Err(CallError::Service(OrderError::Inventory(CallError::Service(InventoryError::OutOfStock {
            sku,
            left,
        })))) => {
            writeln!(out, "Refused: only {left} of {sku} left")?;
        }
        other => return Err(kinoko::Error::msg(format!("expected a refusal, got {other:?}"))),
    }
    match orders.place("Grace".into(), vec![]).await {
        Err(CallError::Service(error @ OrderError::Empty)) => writeln!(out, "Refused: {error}")?,
        other => return Err(kinoko::Error::msg(format!("expected a refusal, got {other:?}"))),
    }
    Ok(())
}

async fn fail_to_pay(app: &RunningApp, gateway: &Gateway, out: &mut impl Write) -> kinoko::Result<()> {
    let (orders, inventory) = (app.client::<OrdersClient>(), app.client::<InventoryClient>());
    let teapots = Sku::new("TEAPOT");
    gateway.switch(Switch { limit_cents: 0, ..Switch::default() });

    writeln!(out, "In stock: {} teapots", inventory.available(teapots.clone()).await?)?;
    match orders.place("Ada".into(), vec![Line::new("TEAPOT", 2)]).idempotency_key("ada-1").await {
        Err(CallError::Service(OrderError::Payment(CallError::Service(PaymentError::Declined { cents })))) => {
            writeln!(out, "Refused: the bank declined {cents} cents")?;
        }
        other => return Err(kinoko::Error::msg(format!("expected a refusal, got {other:?}"))),
    }
    tell(&orders, "ada-1", out).await?;
    writeln!(out, "In stock: {} teapots", inventory.available(teapots).await?)?;
    Ok(())
}

async fn pay_later(app: &RunningApp, gateway: &Gateway, out: &mut impl Write) -> kinoko::Result<()> {
    let (orders, payments) = (app.client::<OrdersClient>(), app.client::<PaymentsClient>());

    gateway.switch(Switch::down(Outage::Silent));
    writeln!(out, "The gateway does not answer")?;
    let order = orders.place("Ada".into(), vec![Line::new("TEAPOT", 2)]).idempotency_key("ada-1").await?;
    writeln!(out, "Order {} placed for {}", order.id, order.customer)?;
    tell(&orders, "ada-1", out).await?;
    let mut payment = payments.get(order.id).await?;
    writeln!(out, "Payment of {} cents: {:?}", payment.cents, payment.state)?;

    gateway.switch(Switch::default());
    writeln!(out, "The gateway is back")?;
    // A timer asks it again.
    while payment.state == PaymentState::Pending {
        tokio::time::sleep(Duration::from_millis(50)).await;
        payment = payments.get(order.id).await?;
    }
    writeln!(out, "Payment of {} cents: {:?}", payment.cents, payment.state)?;
    let counts = gateway.counts();
    writeln!(out, "The gateway was asked {} times, and charged {}", counts.requests, counts.charges)?;
    Ok(())
}

/// The steps of a saga, and how they were taken back.
async fn tell(orders: &OrdersClient, key: &str, out: &mut impl Write) -> kinoko::Result<()> {
    for happening in orders.history(key.to_owned()).await? {
        writeln!(out, "    {}", happening.what)?;
    }
    Ok(())
}

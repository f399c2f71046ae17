//! Buys something, and shows what refusals look like.

use std::io::Write;

use contracts::{InventoryClient, InventoryError, Line, OrderError, OrdersClient, Sku};
use kinoko::CallError;

/// Runs the demonstration in memory and writes what happened.
///
/// # Errors
///
/// When anything happened that should not.
pub async fn run(out: &mut impl Write) -> kinoko::Result<()> {
    let app = crate::app().start().await?;
    let (orders, inventory) = (app.client::<OrdersClient>(), app.client::<InventoryClient>());
    let teapots = Sku::new("TEAPOT");

    writeln!(out, "In stock: {} teapots", inventory.available(teapots.clone()).await?)?;
    let order = orders.place("Ada".into(), vec![Line::new("TEAPOT", 2), Line::new("CUP", 4)]).await?;
    writeln!(out, "Order {} placed for {}:", order.id, order.customer)?;
    for line in &order.lines {
        writeln!(out, "  {} × {}", line.quantity, line.sku)?;
    }
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

    // The inventory's own error, through the orders service, as the type that it is.
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
    app.stop().await
}

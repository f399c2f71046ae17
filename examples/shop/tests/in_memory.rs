//! The shop's services together, as `main` runs them, on a broker in memory.

use std::time::Duration;

use contracts::{InventoryClient, InventoryError, Line, OrderError, OrdersClient, Reservation, Sku};
use gateway::{Gateway, Outage, Switch};
use inventory_service::Stock;
use kinoko::{CallError, testing::TestApp};

#[tokio::test]
async fn an_order_puts_its_articles_aside() -> kinoko::Result<()> {
    let gateway = Gateway::open("127.0.0.1:0").await?;
    let app = TestApp::of(shop::app(&gateway)).yaml("inventory: {stock: {TEAPOT: 3}}").start().await?;
    let reserved = app.waiter("inventory", "reserve");

    let order = app.client::<OrdersClient>().place("Ada".into(), vec![Line::new("TEAPOT", 2)]).await?;

    // The inventory's worker is over, its reply decoded.
    let reserved = reserved.await?;
    assert_eq!(reserved.argument("order_id").unwrap(), order.id);
    assert_eq!(reserved.returned::<Reservation>()?.lines, order.lines);
    assert_eq!(app.client::<InventoryClient>().available(Sku::new("TEAPOT")).await?, 1);
    app.stop().await
}

#[tokio::test]
async fn the_inventorys_refusal_reaches_the_customer() -> kinoko::Result<()> {
    let empty = Stock::of([(Sku::new("TEAPOT"), 0)].into());
    let gateway = Gateway::open("127.0.0.1:0").await?;
    let app = TestApp::of(shop::app(&gateway)).replace(empty).start().await?;
    let reserved = app.waiter("inventory", "reserve").when(|fired| !fired.is_ok());

    let refused = app.client::<OrdersClient>().place("Grace".into(), vec![Line::new("TEAPOT", 1)]).await;

    let Err(CallError::Service(OrderError::Inventory(CallError::Service(told)))) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(told, InventoryError::OutOfStock { sku: Sku::new("TEAPOT"), left: 0 });
    assert_eq!(reserved.await?.error::<InventoryError>(), Some(told));
    app.stop().await
}

#[tokio::test]
async fn what_was_put_aside_for_a_cancelled_order_can_be_sold_again() -> kinoko::Result<()> {
    let gateway = Gateway::open("127.0.0.1:0").await?;
    let app = TestApp::of(shop::app(&gateway)).yaml("inventory: {stock: {TEAPOT: 3}}").start().await?;
    let (orders, given_back) = (app.client::<OrdersClient>(), app.waiter("inventory", "give_back"));
    let order = orders.place("Ada".into(), vec![Line::new("TEAPOT", 2)]).await?;

    orders.cancel(order.id).await?;

    assert!(given_back.await?.is_ok());
    assert_eq!(app.client::<InventoryClient>().available(Sku::new("TEAPOT")).await?, 3);
    app.stop().await
}

#[tokio::test]
async fn an_order_that_nobody_pays_for_in_the_end_is_cancelled() -> kinoko::Result<()> {
    let gateway = Gateway::open("127.0.0.1:0").await?;
    gateway.switch(Switch::down(Outage::Refuses));
    let settings = "{inventory: {stock: {TEAPOT: 3}}, payments: {settle_after: 0s}}";
    let app = TestApp::of(shop::app(&gateway)).yaml(settings).start().await?;
    let given_back = app.waiter("inventory", "give_back").within(Duration::from_secs(30));
    let orders = app.client::<OrdersClient>();
    let order = orders.place("Ada".into(), vec![Line::new("TEAPOT", 2)]).await?;
    assert_eq!(orders.get(order.id).await?, order, "a customer does not wait for the gateway");

    gateway.switch(Switch { limit_cents: 0, ..Switch::default() });

    assert!(given_back.await?.is_ok());
    assert!(matches!(orders.get(order.id).await, Err(CallError::Service(OrderError::Unknown(_)))));
    assert_eq!(app.client::<InventoryClient>().available(Sku::new("TEAPOT")).await?, 3);
    app.stop().await
}

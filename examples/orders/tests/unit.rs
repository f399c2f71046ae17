//! The saga and the service as plain structs with fakes for what they call: no framework runs.

mod world;

use contracts::{InventoryError, Line, OrderCancelled, OrderError, OrderPlaced, PaymentDeclined, PaymentError, Sku};
use kinoko::{
    CallError, EventDispatcher, IdempotencyKey,
    event::Recorded,
    sql::{Database, Tx},
    testing::{TestDatabase, saga},
};
use orders_service::{NewOrder, OrdersService, PlaceOrder};
use world::World;

/// The service over a database of its own.
struct Shop {
    orders: OrdersService,
    world: World,
    events: Recorded,
    db: Database,
    _database: TestDatabase,
}

impl Shop {
    async fn open(max_lines: usize) -> kinoko::Result<Self> {
        let (database, world) = (TestDatabase::sqlite().await?, World::default());
        let db = database.database().await?;
        db.migrate(&orders_service::tables()).await?;
        let (dispatcher, events) = EventDispatcher::recording();
        let place_order = PlaceOrder::new(db.clone(), world.inventory(), world.payments(), dispatcher.clone());
        let orders = OrdersService::new(db.clone(), saga(place_order), dispatcher, max_lines);
        Ok(Self { orders, world, events, db, _database: database })
    }

    async fn place(&self, lines: Vec<Line>) -> Result<contracts::Order, OrderError> {
        self.orders.place(IdempotencyKey("ada-1".into()), None, "Ada".into(), lines).await
    }
}

#[tokio::test]
async fn an_order_is_placed_once_however_often_it_is_asked_for() -> kinoko::Result<()> {
    let shop = Shop::open(50).await?;
    let order = shop.place(vec![Line::new("TEAPOT", 2)]).await.unwrap();
    assert_eq!(shop.place(vec![Line::new("TEAPOT", 2)]).await.unwrap(), order);
    assert_eq!(shop.orders.get(order.id).await.unwrap(), order);
    assert_eq!(shop.world.asked(), ["reserve 1", "charge 1: 4900"]);
    assert_eq!(shop.events.events::<OrderPlaced>()?, [OrderPlaced { order }]);
    Ok(())
}

#[tokio::test]
async fn of_what_is_sold_out_nothing_is_left() -> kinoko::Result<()> {
    let shop = Shop::open(50).await?;
    let refused = shop.place(vec![Line::new("LAST-ONE", 1)]).await;
    let Err(OrderError::Inventory(CallError::Service(refused))) = refused else { panic!("{refused:?}") };
    assert_eq!(refused, InventoryError::OutOfStock { sku: Sku::new("LAST-ONE"), left: 0 });
    assert!(matches!(shop.orders.get(1).await, Err(OrderError::Unknown(1))));
    assert_eq!(shop.world.asked(), ["reserve 1"]);
    assert!(shop.events.events::<OrderPlaced>()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_nobody_pays_for_goes_back() -> kinoko::Result<()> {
    let shop = Shop::open(50).await?;
    let refused = shop.place(vec![Line::new("TEAPOT", 5)]).await;
    assert!(
        matches!(refused, Err(OrderError::Payment(CallError::Service(PaymentError::Declined { cents: 12_250 })))),
        "{refused:?}"
    );
    assert_eq!(shop.world.asked(), ["reserve 1", "charge 1: 12250", "release 1"]);
    let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM customer_order").fetch_one(&*shop.db).await?;
    assert_eq!(rows, 0);
    let history: Vec<_> = shop.orders.history("ada-1".into()).await.unwrap().into_iter().map(|h| h.what).collect();
    assert_eq!(history.last().unwrap(), "compensated");
    Ok(())
}

#[tokio::test]
async fn an_order_has_at_least_one_line_and_not_too_many() -> kinoko::Result<()> {
    let shop = Shop::open(1).await?;
    assert!(matches!(shop.place(vec![]).await, Err(OrderError::Empty)));
    let long = shop.place(vec![Line::new("TEAPOT", 1), Line::new("CUP", 1)]).await;
    assert!(matches!(long, Err(OrderError::TooManyLines { lines: 2, limit: 1 })));
    Ok(())
}

#[tokio::test]
async fn whoever_cancels_an_order_tells_the_others() -> kinoko::Result<()> {
    let shop = Shop::open(50).await?;
    let order = shop.place(vec![Line::new("CUP", 1)]).await.unwrap();

    let cancel = async || shop.db.transaction(async |tx: Tx| Ok(shop.orders.cancel(tx, order.id).await?)).await;
    assert_eq!(cancel().await?, order);
    assert!(cancel().await.unwrap_err().to_string().contains("no order 1"));

    assert!(matches!(shop.orders.get(order.id).await, Err(OrderError::Unknown(1))));
    assert_eq!(shop.events.events::<OrderCancelled>()?, [OrderCancelled { order_id: order.id }]);
    Ok(())
}

#[tokio::test]
async fn an_order_whose_pending_payment_is_declined_is_cancelled() -> kinoko::Result<()> {
    let shop = Shop::open(50).await?;
    let order = shop.place(vec![Line::new("CUP", 1)]).await.unwrap();
    let declined = async |order_id| {
        let declined = async |tx: Tx| {
            shop.orders
                .unpaid(tx, PaymentDeclined { order_id, cents: 390 })
                .await
                .map_err(|_| kinoko::Error::msg("again"))
        };
        shop.db.transaction(declined).await
    };
    // It may come twice.
    for _ in 0..2 {
        declined(order.id).await?;
        assert!(matches!(shop.orders.get(order.id).await, Err(OrderError::Unknown(1))));
        assert_eq!(shop.events.events::<OrderCancelled>()?, [OrderCancelled { order_id: order.id }]);
    }

    let under_way = "INSERT INTO customer_order VALUES (7, 'ada-7', 'Ada', '[]', FALSE)";
    sqlx::query(under_way).execute(&*shop.db).await?;
    assert_eq!(declined(7).await.unwrap_err().to_string(), "again", "its saga would confirm it afterwards");
    Ok(())
}

/// Each step fails, is not answered, and its process ends: see `kinoko::saga_matrix!`.
#[tokio::test]
async fn the_saga_survives_every_failure() -> kinoko::Result<()> {
    let (database, world) = (TestDatabase::sqlite().await?, World::default());
    let db = database.database().await?;
    db.migrate(&orders_service::tables()).await?;
    let make = || PlaceOrder::new(db.clone(), world.inventory(), world.payments(), EventDispatcher::recording().0);
    let new = NewOrder { key: "ada-1".into(), customer: "Ada".into(), lines: vec![Line::new("CUP", 2)] };
    kinoko::saga_matrix!(make(), new.clone()).await;
    Ok(())
}

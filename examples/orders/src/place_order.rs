//! What it takes to place an order, as a saga over three services.

use contracts::{
    InventoryClient, InventoryError, Line, Order, OrderPlaced, Payment, PaymentError, PaymentsClient, Reservation,
};
use kinoko::{
    EventDispatcher,
    prelude::*,
    saga::Outcome,
    sql::{Database, Tx},
};
use serde::{Deserialize, Serialize};

use crate::{Prices, ledger};

/// Places an order: it is written down, its articles are put aside, it is paid, and then the world hears of it.
#[derive(Debug, Dependencies)]
pub struct PlaceOrder {
    #[dependency(key = "orders.database", url = "sqlite:orders.db", migrations = ledger::tables())]
    db: Database,
    #[dependency(timeout = "2s")]
    inventory: InventoryClient,
    #[dependency(timeout = "2s")]
    payments: PaymentsClient,
    events: EventDispatcher,
    prices: Prices,
}

/// What a customer wants.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewOrder {
    /// The customer's name for it: asked for twice, it is ordered once.
    pub key: String,
    /// Who orders.
    pub customer: String,
    /// What.
    pub lines: Vec<Line>,
}

/// An order that was placed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Placed(pub Order);

impl PlaceOrder {
    /// The saga over these dependencies: a unit test passes fakes.
    pub fn new(db: Database, inventory: InventoryClient, payments: PaymentsClient, events: EventDispatcher) -> Self {
        Self { db, inventory, payments, events, prices: Prices::default() }
    }
}

// Each step may run more than once: under the same key, so that services which know keys do the work once, and with the same order, so
// that the others can.
#[saga(name = "place_order", timeout = "10m")]
impl PlaceOrder {
    /// First of all: the order has a number from here on.
    #[step(compensate = erase)]
    async fn write_down(&self, new: &NewOrder) -> kinoko::Result<Order> {
        self.db.transaction(async |mut tx: Tx| ledger::write(&mut tx, new).await).await
    }

    async fn erase(&self, _: Outcome<Order>, new: &NewOrder) -> kinoko::Result<()> {
        ledger::erase(&*self.db, &new.key).await
    }

    /// An article that is sold out is the end of the order.
    #[step(compensate = release)]
    async fn reserve(&self, order: &Order) -> Result<Reservation, CallError<InventoryError>> {
        self.inventory.reserve(order.id, order.lines.clone()).await
    }

    /// By the order's number: so it does not matter whether anybody knows what was put aside.
    async fn release(&self, _: Outcome<Reservation>, order: &Order) -> Result<(), CallError<InventoryError>> {
        self.inventory.release(order.id).await
    }

    /// Payments that do not answer are asked three times, and then the money is given back, charged or not. A payment that is pending will do: a
    /// customer does not wait for a gateway. Where it is declined in the end, the order is cancelled: see `OrdersService::unpaid`.
    #[step(compensate = refund, retry(max = 3))]
    async fn charge(&self, order: &Order) -> Result<Payment, CallError<PaymentError>> {
        self.payments.charge(order.id, self.prices.of(&order.lines)).await
    }

    async fn refund(&self, _: Outcome<Payment>, order: &Order) -> kinoko::Result<()> {
        Ok(self.payments.refund(order.id).await?)
    }

    /// The pivot. One commit places the order and sends the event, however often this is tried.
    #[step]
    async fn confirm(&self, order: &Order, _payment: &Payment) -> kinoko::Result<Placed> {
        let confirm = async |mut tx: Tx| {
            if ledger::place(&mut *tx, order.id).await? {
                self.events.in_tx(&mut tx).dispatch(&OrderPlaced { order: order.clone() }).await?;
            }
            Ok(Placed(order.clone()))
        };
        self.db.transaction(confirm).await
    }
}

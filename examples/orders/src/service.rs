use contracts::{
    Happening, InventoryError, Line, Order, OrderCancelled, OrderError, Orders, PaymentDeclined, PaymentError,
};
use kinoko::{
    EventDispatcher, IdempotencyKey, Language,
    prelude::*,
    saga::SagaError,
    sql::{Database, Tx},
};

use crate::{NewOrder, PlaceOrder, Placed, ledger};

/// Serves the contract `orders`.
#[derive(Debug, Dependencies)]
pub struct OrdersService {
    #[dependency(key = "orders.database", url = "sqlite:orders.db", migrations = ledger::tables())]
    db: Database,
    place_order: Saga<PlaceOrder>,
    events: EventDispatcher,
    #[dependency(key = "orders.max_lines", default = 50)]
    max_lines: Config<usize>,
}

impl OrdersService {
    /// The service over these dependencies: a unit test passes its own.
    pub fn new(db: Database, place_order: Saga<PlaceOrder>, events: EventDispatcher, max_lines: usize) -> Self {
        Self { db, place_order, events, max_lines: Config::fixed(max_lines) }
    }
}

// The methods stand in the service's own block, checked against the contract, since some of them have an injected parameter.
#[service(contract = Orders)]
impl OrdersService {
    /// Places an order: its articles are put aside and paid, or it is refused and nothing of it is left.
    #[rpc(expected(OrderError::Empty, OrderError::TooManyLines))]
    pub async fn place(
        &self,
        #[inject] IdempotencyKey(key): IdempotencyKey,
        #[inject] language: Option<Language>,
        customer: String,
        lines: Vec<Line>,
    ) -> Result<Order, OrderError> {
        if lines.is_empty() {
            return Err(OrderError::Empty);
        }
        if lines.len() > *self.max_lines {
            return Err(OrderError::TooManyLines { lines: lines.len(), limit: *self.max_lines });
        }
        // Started twice under one key, the saga is the first one: the customer hears of the same order.
        let saga = self.place_order.start(key.clone(), NewOrder { key, customer, lines }).await;
        let Placed(order) = saga.map_err(kinoko::Error::from)?.await.map_err(refusal)?;
        if let Some(Language(language)) = language {
            kinoko::tracing::info!(order = order.id, language, "order placed");
        }
        Ok(order)
    }

    /// Cancels an order; what was put aside for it is given back in a moment.
    // The event goes out if and only if the order is struck out.
    #[rpc(expected(OrderError::Unknown))]
    pub async fn cancel(&self, #[inject] mut tx: Tx, order_id: u64) -> Result<Order, OrderError> {
        let order = ledger::find(&mut *tx, order_id).await?;
        let order = order.ok_or(OrderError::Unknown(order_id))?;
        // Whoever was faster has told the others.
        if !ledger::cancel(&mut *tx, order_id).await? {
            return Err(OrderError::Unknown(order_id));
        }
        let cancelled = self.events.in_tx(&mut tx).dispatch(&OrderCancelled { order_id }).await;
        cancelled.map_err(kinoko::Error::from)?;
        Ok(order)
    }

    /// An order whose payment was pending, and which nobody pays for: it goes the way of one that its customer cancels.
    #[event_handler(PaymentDeclined, retry(max = 20))]
    pub async fn unpaid(&self, #[inject] mut tx: Tx, event: PaymentDeclined) -> Result<(), Verdict> {
        let PaymentDeclined { order_id, .. } = event;
        if ledger::cancel(&mut *tx, order_id).await? {
            let cancelled = self.events.in_tx(&mut tx).dispatch(&OrderCancelled { order_id }).await;
            cancelled.map_err(kinoko::Error::from)?;
        } else if ledger::is_under_way(&mut *tx, order_id).await? {
            return Err(Retry::because("the order's saga is not over").into());
        }
        Ok(())
    }

    /// An order by its number.
    #[rpc]
    pub async fn get(&self, order_id: u64) -> Result<Order, OrderError> {
        ledger::find(&*self.db, order_id).await?.ok_or(OrderError::Unknown(order_id))
    }

    /// What happened on the way to an order, or to its refusal, oldest first: by the idempotency key that it was placed under.
    #[rpc]
    pub async fn history(&self, key: String) -> Result<Vec<Happening>, OrderError> {
        let status = self.place_order.status(&key).await?.ok_or(OrderError::UnknownKey(key))?;
        let happened = status.timeline.into_iter();
        Ok(happened.map(|entry| Happening { at_ms: entry.at_ms, what: entry.what.to_string() }).collect())
    }
}

/// What the customer hears: the error of the service that refused, as the type that it is.
fn refusal(error: SagaError) -> OrderError {
    if let Some(error) = error.error::<InventoryError>() {
        return OrderError::Inventory(CallError::Service(error));
    }
    match error.error::<PaymentError>() {
        Some(error) => OrderError::Payment(CallError::Service(error)),
        None => OrderError::Unexpected(error.into()),
    }
}

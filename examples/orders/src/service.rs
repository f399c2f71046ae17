use contracts::{InventoryClient, Line, Order, OrderCancelled, OrderError, Orders};
use kinoko::{EventDispatcher, Language, prelude::*};

use crate::Ledger;

/// Serves the contract `orders`.
#[derive(Debug, Dependencies)]
pub struct OrdersService {
    ledger: Ledger,
    #[dependency(timeout = "2s")]
    inventory: InventoryClient,
    events: EventDispatcher,
    #[dependency(key = "orders.max_lines", default = 50)]
    max_lines: Config<usize>,
}

impl OrdersService {
    /// The service over these dependencies: a unit test passes fakes.
    pub fn new(ledger: Ledger, inventory: InventoryClient, events: EventDispatcher, max_lines: usize) -> Self {
        Self { ledger, inventory, events, max_lines: Config::fixed(max_lines) }
    }
}

// The methods stand in the service's own block, checked against the contract, since one of them has an injected parameter.
#[service(contract = Orders)]
impl OrdersService {
    /// Places an order: its articles are put aside, or it is refused.
    #[rpc(expected(OrderError::Empty, OrderError::TooManyLines))]
    pub async fn place(
        &self,
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
        let id = self.ledger.next_id();
        // A refusal of the inventory is the caller's to know: `?` passes it on as it is.
        let reservation = self.inventory.reserve(id, lines).await?;
        if let Some(Language(language)) = language {
            kinoko::tracing::info!(order = id, language, "order placed");
        }
        Ok(self.ledger.write(id, customer, reservation.lines))
    }

    /// Cancels an order; what was put aside for it is given back in a moment.
    #[rpc(expected(OrderError::Unknown))]
    pub async fn cancel(&self, order_id: u64) -> Result<Order, OrderError> {
        let order = self.ledger.find(order_id).ok_or(OrderError::Unknown(order_id))?;
        // First the event, then the ledger: a crash between the two lets the customer ask again, and nothing stays put aside.
        self.events.dispatch(&OrderCancelled { order_id }).await?;
        self.ledger.strike(order_id);
        Ok(order)
    }

    /// An order by its number.
    #[rpc]
    pub async fn get(&self, order_id: u64) -> Result<Order, OrderError> {
        self.ledger.find(order_id).ok_or(OrderError::Unknown(order_id))
    }
}

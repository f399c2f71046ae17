use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use contracts::{Line, Order};
use kinoko::prelude::*;

/// The orders that were placed. In memory for now.
#[derive(Debug, Clone, Default)]
pub struct Ledger(Arc<Pages>);

#[derive(Debug, Default)]
struct Pages {
    last_id: AtomicU64,
    orders: Mutex<BTreeMap<u64, Order>>,
}

impl Dependency for Ledger {
    type Options = ();

    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::default())
    }
}

impl Ledger {
    /// A number that no order has yet.
    pub fn next_id(&self) -> u64 {
        self.0.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Writes an order down.
    pub fn write(&self, id: u64, customer: String, lines: Vec<Line>) -> Order {
        let order = Order { id, customer, lines };
        self.0.orders.lock().unwrap_or_else(PoisonError::into_inner).insert(id, order.clone());
        order
    }

    /// Strikes an order out.
    pub fn strike(&self, id: u64) -> Option<Order> {
        self.0.orders.lock().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }

    /// An order by its number.
    pub fn find(&self, id: u64) -> Option<Order> {
        self.0.orders.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }
}

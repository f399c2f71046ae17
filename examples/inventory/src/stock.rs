//! A dependency provider of our own: the stock, shared by all workers of the service.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use contracts::{InventoryError, Line, Reservation, Sku};
use kinoko::prelude::*;

/// What is on the shelves, and what was put aside. Cheap to clone, as every dependency.
#[derive(Debug, Clone, Default)]
pub struct Stock(Arc<Mutex<Shelves>>);

#[derive(Debug, Default)]
struct Shelves {
    available: BTreeMap<Sku, u32>,
    reserved: BTreeMap<u64, Vec<Line>>,
    /// Orders whose articles were given back, or were never there: a reservation that was only slow finds that it came too late.
    off: BTreeSet<u64>,
}

/// What `#[dependency(…)]` on a [`Stock`] field can say.
#[derive(Debug)]
pub struct StockOptions {
    /// The setting that holds the stock at the start: a map from article to number.
    pub key: String,
}

impl Default for StockOptions {
    fn default() -> Self {
        Self { key: "inventory.stock".to_owned() }
    }
}

impl Dependency for Stock {
    type Options = StockOptions;

    async fn setup(cx: &SetupContext, options: StockOptions) -> kinoko::Result<Self> {
        let stock = cx.settings().get::<BTreeMap<Sku, u32>>(&options.key)?;
        Ok(Self::of(stock.unwrap_or_else(|| {
            [("TEAPOT", 10), ("CUP", 24), ("LAST-ONE", 1)].map(|(sku, number)| (Sku::new(sku), number)).into()
        })))
    }
}

impl Stock {
    /// A stock of these articles.
    pub fn of(available: BTreeMap<Sku, u32>) -> Self {
        Self(Arc::new(Mutex::new(Shelves { available, ..Shelves::default() })))
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts all lines aside, or none.
    pub fn reserve(&self, order_id: u64, lines: Vec<Line>) -> Result<Reservation, InventoryError> {
        let mut shelves = self.shelves();
        // The broker may deliver a request twice; the order's number tells.
        if let Some(lines) = shelves.reserved.get(&order_id) {
            return Ok(Reservation { order_id, lines: lines.clone() });
        }
        if shelves.off.contains(&order_id) {
            return Err(InventoryError::Off(order_id));
        }
        let mut left = shelves.available.clone();
        for line in &lines {
            let left = left.get_mut(&line.sku).ok_or_else(|| InventoryError::UnknownSku(line.sku.clone()))?;
            *left = left
                .checked_sub(line.quantity)
                .ok_or_else(|| InventoryError::OutOfStock { sku: line.sku.clone(), left: *left })?;
        }
        shelves.available = left;
        shelves.reserved.insert(order_id, lines.clone());
        Ok(Reservation { order_id, lines })
    }

    /// Gives back what was put aside for an order, which is off.
    pub fn release(&self, order_id: u64) {
        let mut shelves = self.shelves();
        shelves.off.insert(order_id);
        for line in shelves.reserved.remove(&order_id).unwrap_or_default() {
            *shelves.available.entry(line.sku).or_default() += line.quantity;
        }
    }

    /// How many can still be sold; `None` for an article that the shop does not have.
    pub fn available(&self, sku: &Sku) -> Option<u32> {
        self.shelves().available.get(sku).copied()
    }
}

//! What the orders service calls, as fakes.

use std::sync::{Arc, Mutex};

use contracts::{
    Inventory, InventoryClient, InventoryError, Line, Payment, PaymentError, PaymentState, Payments, PaymentsClient,
    Reservation, Sku,
};

/// An inventory and a bank in one, which note what they are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct World(Arc<Mutex<Vec<String>>>);

impl World {
    pub(crate) fn inventory(&self) -> InventoryClient {
        InventoryClient::from_service(self.clone())
    }

    pub(crate) fn payments(&self) -> PaymentsClient {
        PaymentsClient::from_service(self.clone())
    }

    /// What was asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn note(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }
}

impl Inventory for World {
    async fn reserve(&self, order_id: u64, lines: Vec<Line>) -> Result<Reservation, InventoryError> {
        self.note(format!("reserve {order_id}"));
        match lines.iter().find(|line| line.sku == Sku::new("LAST-ONE")) {
            Some(line) => Err(InventoryError::OutOfStock { sku: line.sku.clone(), left: 0 }),
            None => Ok(Reservation { order_id, lines }),
        }
    }

    async fn release(&self, order_id: u64) -> Result<(), InventoryError> {
        self.note(format!("release {order_id}"));
        Ok(())
    }

    async fn available(&self, _sku: Sku) -> Result<u32, InventoryError> {
        Ok(1)
    }
}

impl Payments for World {
    async fn charge(&self, order_id: u64, cents: u64) -> Result<Payment, PaymentError> {
        self.note(format!("charge {order_id}: {cents}"));
        match cents > 10_000 {
            true => Err(PaymentError::Declined { cents }),
            false => Ok(Payment { order_id, cents, state: PaymentState::Charged }),
        }
    }

    async fn refund(&self, order_id: u64) -> kinoko::Result<()> {
        self.note(format!("refund {order_id}"));
        Ok(())
    }

    async fn get(&self, order_id: u64) -> Result<Payment, PaymentError> {
        Err(PaymentError::Unknown(order_id))
    }
}

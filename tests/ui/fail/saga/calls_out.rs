use kinoko::{prelude::*, saga::Outcome};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order;
#[derive(Serialize, Deserialize)]
struct Reservation;
#[derive(Serialize, Deserialize)]
struct Payment;
#[derive(Serialize, Deserialize)]
struct Note;
#[derive(Serialize, Deserialize)]
struct Stamp;

#[derive(Debug, thiserror::Error, ServiceError)]
#[error("sold out")]
struct SoldOut;

#[derive(Debug, thiserror::Error, ServiceError)]
enum PaymentError {
    #[error("refused")]
    Refused,
    #[error(transparent)]
    #[fault(forward)]
    Inventory(#[from] CallError<SoldOut>),
}

#[derive(Dependencies)]
struct PlaceOrder;

#[saga(name = "place_order")]
impl PlaceOrder {
    #[step(compensate = release)]
    async fn reserve(&self, order: &Order) -> Result<Reservation, CallError<SoldOut>> {
        Ok(Reservation)
    }

    async fn release(&self, reservation: Reservation) {}

    #[step(compensate = refund)]
    async fn charge(&self) -> Result<Payment, PaymentError> {
        Err(PaymentError::Refused)
    }

    async fn refund(&self, payment: Payment) {}

    #[step(compensate = forget)]
    async fn note(&self) -> kinoko::Result<Note> {
        Ok(Note)
    }

    async fn forget(&self, note: Note) {}

    // Nobody calls another service here, or the compensation can do without knowing.
    #[step(compensate = wipe)]
    async fn stamp(&self) -> Result<Stamp, SoldOut> {
        Ok(Stamp)
    }

    async fn wipe(&self, stamp: Stamp) {}

    #[step(compensate = give_back)]
    async fn take(&self) -> Result<u64, PaymentError> {
        Ok(1)
    }

    async fn give_back(&self, taken: Outcome<u64>) {}
}

fn main() {}

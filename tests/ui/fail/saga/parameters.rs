use kinoko::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order;
#[derive(Serialize, Deserialize)]
struct Reservation;
#[derive(Serialize, Deserialize)]
struct Payment;
#[derive(Serialize, Deserialize)]
struct Receipt;

#[derive(Dependencies)]
struct Unknown;

#[saga(name = "unknown")]
impl Unknown {
    #[step]
    fn reserve(&self, order: &Order) -> Reservation {
        Reservation
    }

    #[step]
    fn confirm(&self, order: &Order, payment: &Payment) {}

    #[step]
    fn too_early(&self, receipt: &Receipt) {}

    #[step]
    fn by_value(&self, order: Order) -> Receipt {
        Receipt
    }
}

#[derive(Dependencies)]
struct Twice;

#[saga(name = "twice")]
impl Twice {
    #[step]
    fn first(&self, order: &Order) -> Reservation {
        Reservation
    }

    #[step]
    fn second(&self) -> Reservation {
        Reservation
    }

    #[step]
    fn third(&self, reservation: &Reservation) -> Order {
        Order
    }

    #[step]
    fn fourth(&self, order: &Order) {}
}

#[derive(Dependencies)]
struct Skipped;

#[saga(name = "skipped")]
impl Skipped {
    #[step(when = wanted)]
    fn charge(&self, order: &Order) -> Payment {
        Payment
    }

    fn wanted(&self, order: &Order) -> bool {
        true
    }

    #[step]
    fn confirm(&self, payment: &Payment) -> Receipt {
        Receipt
    }

    #[step]
    fn thank(&self, receipt: Option<&Receipt>, order: Option<&Order>) {}
}

#[derive(Dependencies)]
struct TwoInputs;

#[saga(name = "two_inputs")]
impl TwoInputs {
    #[step]
    fn first(&self, order: &Order, payment: &Payment) {}
}

fn main() {}

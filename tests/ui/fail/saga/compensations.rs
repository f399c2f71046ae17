use kinoko::{prelude::*, saga::Outcome};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Order;
#[derive(Serialize, Deserialize)]
struct Reservation;
#[derive(Serialize, Deserialize)]
struct Payment;

#[derive(Dependencies)]
struct Places;

#[saga(name = "places")]
impl Places {
    #[step(compensate = relaese)]
    fn reserve(&self, order: &Order) -> Reservation {
        Reservation
    }

    fn release(&self, reservation: Reservation) {}

    #[step(compensate = refund)]
    fn charge(&self, reservation: &Reservation) -> Payment {
        Payment
    }

    fn refund(&self, payment: Reservation) {}

    #[step(compensate = forget)]
    fn note(&self) -> String {
        String::new()
    }

    fn forget(&self, order: &Order) {}

    #[step(compensate = unlock)]
    fn lock(&self) -> u64 {
        1
    }

    fn unlock(&self, lock: Outcome<u32>) {}
}

#[derive(Dependencies)]
struct AfterThePivot;

#[saga(name = "after_the_pivot")]
impl AfterThePivot {
    #[step]
    fn reserve(&self, order: &Order) -> Reservation {
        Reservation
    }

    #[step(compensate = refund)]
    fn charge(&self) -> Payment {
        Payment
    }

    fn refund(&self, payment: Payment) {}
}

#[derive(Dependencies)]
struct Returns;

#[saga(name = "returns")]
impl Returns {
    #[step(compensate = release)]
    fn reserve(&self, order: &Order) -> Reservation {
        Reservation
    }

    fn release(&self, reservation: Reservation) -> Result<(), String> {
        Ok(())
    }

    #[step(compensate = refund)]
    fn charge(&self) -> Payment {
        Payment
    }

    fn refund(&self, payment: Payment) -> bool {
        true
    }
}

fn main() {}

use kinoko::prelude::*;

struct Reservation;

#[derive(Debug)]
struct NotAnError;

#[derive(Dependencies)]
struct PlaceOrder;

#[saga(name = "place_order")]
impl PlaceOrder {
    #[step]
    fn reserve(&self, order: &u32) -> Reservation {
        Reservation
    }

    #[step]
    fn confirm(&self) -> Result<u64, NotAnError> {
        Err(NotAnError)
    }
}

#[derive(Dependencies)]
struct NoSaga;

#[derive(Dependencies)]
struct Orders {
    no_saga: Saga<NoSaga>,
}

fn main() {}

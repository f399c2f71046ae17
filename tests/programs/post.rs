//! A service that no caller fires, for the tests of the command line.

use kinoko::prelude::*;

#[event(source = "orders")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Placed {
    customer: u64,
}

#[event(source = "orders")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Cancelled {
    customer: u64,
}

#[derive(EventSet)]
enum Order {
    Placed(Placed),
    Cancelled(Cancelled),
}

#[derive(Dependencies)]
struct Post;

/// Sends letters.
#[service(name = "program_post")]
impl Post {
    /// Thanks for an order.
    ///
    /// In more than one line.
    #[event_handler(Placed, retry(max = 3, backoff = "2s"), concurrency = 4, timeout = "30s")]
    fn thank(&self, placed: &Placed) {
        let _ = placed.customer;
    }

    #[event_handler(Order, kind = "broadcast", requeue_on_error)]
    fn see(&self, order: Order) {
        match order {
            Order::Placed(Placed { customer }) | Order::Cancelled(Cancelled { customer }) => assert!(customer > 0),
        }
    }

    #[event_handler("users", "user.*", kind = "singleton", batch = 10, idempotent(store = "process"))]
    fn welcome(&self, users: Vec<kinoko::Value>) {
        drop(users);
    }

    /// Sends what others write.
    #[consume("letters", exchange = "post", kind = "topic", routing_key = "letter.#", ordered_by = "to")]
    fn send(&self, letter: &RawDelivery) {
        let _ = letter;
    }

    #[timer(every = "90s", eager)]
    #[timer(cron = "0 18 * * MON-FRI", zone = "Europe/Berlin", once_per = "fleet", timeout = "1m")]
    fn close(&self) {}
}

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    App::linked().run().await
}

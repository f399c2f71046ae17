#![deny(warnings)]

use kinoko::{
    prelude::*,
    service::{HandlerKind, Service},
};

#[event(source = "payments")]
#[derive(serde::Serialize, serde::Deserialize)]
pub struct PaymentCaptured {
    pub customer: u64,
}

#[event(source = "payments", name = "refunds.made", required)]
#[derive(serde::Serialize, serde::Deserialize)]
pub enum Refunded {
    Whole,
    Part(u32),
}

#[derive(EventSet)]
pub enum Payment {
    Captured(PaymentCaptured),
    Refunded { event: Refunded },
}

#[derive(Debug, thiserror::Error, ServiceError)]
#[error("no such order")]
struct NoOrder;

type Handled = Result<(), NoOrder>;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    /// Marks it paid.
    #[event_handler(PaymentCaptured)]
    async fn on_captured(&self, event: PaymentCaptured) -> Result<(), Verdict> {
        if event.customer == 0 { Err(Reject::because("nobody").into()) } else { Ok(()) }
    }

    #[event_handler(PaymentCaptured, kind = "singleton", reliable_delivery = false)]
    #[event_handler(Refunded, requeue_on_error)]
    fn on_anything(&self) {}

    #[event_handler(Refunded)]
    fn on_refund(&self, event: &Refunded, #[inject] cx: WorkerContext) -> Handled {
        let _ = (event, cx);
        Err(NoOrder)
    }

    #[event_handler(Payment, kind = "broadcast")]
    async fn on_payment(&self, event: Payment) -> kinoko::Result<()> {
        match event {
            Payment::Captured(PaymentCaptured { customer: _ }) => Ok(()),
            Payment::Refunded { event: _ } => Ok(()),
        }
    }

    #[event_handler("users", "user.*", retry(max = 3, backoff = "2s", jitter = false), concurrency = 4)]
    fn on_user(&self, delivery: &RawDelivery) {
        let _ = delivery;
    }

    #[event_handler(source = "users", event = "#", idempotent(window = "2h", store = "process"), name = "old_name")]
    fn on_value(&self, value: serde_json::Value) {
        let _ = value;
    }

    #[event_handler(PaymentCaptured, batch = 100, within = "1s")]
    fn on_many(&self, events: Vec<PaymentCaptured>) -> Vec<Result<(), Retry>> {
        events.into_iter().map(|_| Ok(())).collect()
    }

    #[event_handler("users", "named", batch = 10)]
    #[consume("names", exchange = "people", kind = "topic", routing_key = "name.#", batch = 2)]
    fn on_names(&self, names: &[String]) -> Result<(), DeadLetter> {
        let _ = names;
        Ok(())
    }

    #[consume("letters", declare = false, ordered_by = "to", retry(in_place, max = 3))]
    async fn on_letter(&self, text: &str) {
        let _ = text;
    }

    #[rpc]
    #[timer(every = "10s", eager, once_per = "fleet", timeout = "3s")]
    #[timer(cron = "*/5 * * * *", zone = "Europe/Berlin")]
    async fn sweep(&self, #[inject] cx: WorkerContext) -> Result<(), NoOrder> {
        let _ = cx;
        Ok(())
    }

    #[rpc]
    #[event_handler("stock", "left")]
    fn left(&self, #[default(3)] count: u32) {
        let _ = count;
    }
}

#[derive(Dependencies)]
struct Clock;

// Nobody calls it: it has no client.
#[service(name = "clock")]
impl Clock {
    #[timer(every = "1s")]
    fn tick(&self) {}
}

#[contract(name = "stock")]
trait Stock {
    async fn count(&self) -> u32;
    async fn names(&self) -> Vec<String>;
}

#[derive(Dependencies)]
struct Warehouse;

impl Stock for Warehouse {
    async fn count(&self) -> u32 {
        3
    }

    async fn names(&self) -> Vec<String> {
        vec![]
    }
}

#[service(contract = Stock)]
impl Warehouse {
    #[event_handler(PaymentCaptured)]
    fn on_captured(&self) {}

    #[timer(every = "1s")]
    fn tick(&self) {}
}

fn main() {
    let orders = Orders::DESCRIPTOR;
    let mut indices: Vec<_> = orders.entrypoints().map(|(index, _)| index).collect();
    indices.sort_unstable();
    assert_eq!(indices, (0..indices.len()).collect::<Vec<_>>());
    assert_eq!(orders.events[0].doc, "Marks it paid.");
    assert_eq!((orders.events[0].kind, orders.events[0].reliable), (HandlerKind::ServicePool, true));
    assert_eq!((orders.events[1].kind, orders.events[1].reliable), (HandlerKind::Singleton, false));
    assert_eq!((orders.events[4].kind, orders.events[4].reliable), (HandlerKind::Broadcast, false));
    let names: Vec<_> = orders.events[4].events.iter().map(|event| event.name).collect();
    assert_eq!(names, ["payment_captured", "refunds.made"]);

    let warehouse = Warehouse::DESCRIPTOR;
    assert_eq!(warehouse.entrypoints().collect::<Vec<_>>(), [(0, "count"), (1, "names"), (2, "on_captured"), (3, "tick")]);
    assert!(Clock::DESCRIPTOR.methods.is_empty());
}

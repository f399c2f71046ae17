use kinoko::prelude::*;

#[event(source = "orders")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Placed {
    customer: u64,
}

#[derive(Dependencies)]
struct Audit;

#[service(name = "audit")]
impl Audit {
    #[event_handler(Placed, ordered_by = "customer", retry(max = 3))]
    fn kept_by_the_broker(&self) {}

    #[event_handler(Placed, ordered_by = "customer", requeue_on_error)]
    fn requeued(&self) {}

    #[event_handler(Placed, ordered_by = "customer", batch = 10)]
    fn batch(&self, placed: Vec<Placed>) {
        let _ = placed;
    }

    #[event_handler(Placed, ordered_by = "customer", kind = "broadcast")]
    fn broadcast(&self) {}

    #[event_handler(Placed, ordered_by = "order..customer")]
    fn no_path(&self) {}
}

fn main() {}

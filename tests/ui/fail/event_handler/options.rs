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
    #[event_handler(Placed, knid = "singleton")]
    fn misspelt_key(&self) {}

    #[event_handler(Placed, kind = "singelton")]
    fn misspelt_kind(&self) {}

    #[event_handler(Placed, singleton)]
    fn no_key(&self) {}

    #[event_handler(Placed, kind = "broadcast", reliable_delivery = true)]
    fn reliable_broadcast(&self) {}

    #[event_handler(Placed, retries = 5)]
    fn retries(&self) {}

    #[event_handler(Placed, retry = 5)]
    fn no_list(&self) {}

    #[event_handler(Placed, retry(maximum = 5, backoff = "1m..1s"))]
    fn backwards(&self) {}

    #[event_handler(Placed, retry(backoff = "1s..30d"))]
    fn too_long(&self) {}

    #[event_handler(Placed, retry(backoff = "0s"))]
    fn hot_loop(&self) {}

    #[event_handler(Placed, requeue_on_error, retry(max = 5))]
    fn with_and_without_end(&self) {}

    #[event_handler(Placed, requeue_on_error = true)]
    fn pythonic(&self) {}

    #[event_handler(Placed, retry(in_place, max = 3))]
    fn in_place_without_order(&self) {}

    #[event_handler(Placed, concurrency = 0)]
    fn nobody(&self) {}

    #[event_handler(Placed, batch = 1)]
    fn one(&self, placed: Vec<Placed>) {
        let _ = placed;
    }

    #[event_handler(Placed, within = "1s")]
    fn no_batch(&self) {}

    #[event_handler(Placed, idempotent(store = "redis", windows = "1h"))]
    fn idempotent(&self) {}

    #[event_handler(Placed, timeout = "0s")]
    fn no_time(&self) {}
}

fn main() {}

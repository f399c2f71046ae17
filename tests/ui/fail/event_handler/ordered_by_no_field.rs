use kinoko::prelude::*;

#[event(source = "orders")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placed {
    customer_id: u64,
}

#[derive(Dependencies)]
struct Audit;

#[service(name = "audit")]
impl Audit {
    #[event_handler(Placed, ordered_by = "customer_id")]
    fn on_placed(&self) {}

    #[event_handler(Placed, ordered_by = "customerId", name = "right")]
    fn right(&self) {}
}

fn main() {}

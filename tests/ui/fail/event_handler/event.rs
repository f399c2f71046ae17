use kinoko::prelude::*;

#[event(source = "orders")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Placed;

#[derive(Dependencies)]
struct Audit;

#[service(name = "audit")]
impl Audit {
    #[event_handler]
    fn none(&self) {}

    #[event_handler("orders")]
    fn source_alone(&self) {}

    #[event_handler(source = "orders")]
    fn source_key_alone(&self) {}

    #[event_handler(placed)]
    fn no_type(&self) {}

    #[event_handler(Placed, "orders")]
    fn type_and_text(&self) {}

    #[event_handler(Placed, Placed)]
    fn two(&self) {}

    #[event_handler(Placed, event = "placed")]
    fn type_and_key(&self) {}

    #[event_handler("orders", "order*")]
    fn half_a_word(&self) {}

    #[event_handler("*", "placed")]
    fn any_source(&self) {}
}

fn main() {}

use kinoko::prelude::*;

#[event(source = "orders")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Placed;

#[derive(EventSet)]
enum OrderEvent {
    Placed(Placed),
}

#[derive(Dependencies)]
struct Audit;

#[service(name = "audit")]
impl Audit {
    #[event_handler(Placed)]
    #[event_handler("orders", "placed")]
    fn twice(&self) {}

    #[event_handler(Placed, kind = "singleton")]
    fn one(&self) {}

    #[event_handler(OrderEvent, kind = "singleton")]
    fn other(&self) {}

    #[event_handler("orders", "a_name_of_an_event_that_is_very_much_longer_than_anybody_would_write_it_and_goes_on_and_on_and_on_and_on_and_on_and_on")]
    fn a_method_whose_name_is_very_very_much_longer_than_anybody_would_write_it_and_goes_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on(&self) {}
}

fn main() {}

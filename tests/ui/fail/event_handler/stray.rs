use kinoko::prelude::*;

struct Audit;

impl Audit {
    #[event_handler("orders", "placed")]
    fn on_placed(&self) {}

    #[consume("letters")]
    fn on_letter(&self) {}

    #[timer(every = "1s")]
    fn tick(&self) {}
}

#[contract(name = "stock")]
trait Stock {
    #[event_handler("orders", "placed")]
    async fn on_placed(&self);
}

fn main() {}

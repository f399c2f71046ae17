use kinoko::prelude::*;

#[derive(Dependencies)]
struct Prices;

#[service(name = "prices")]
impl Prices {
    #[rpc]
    fn price(&self, article: u32) -> u32 {
        article
    }
}

#[derive(Dependencies)]
struct Slips {
    #[dependency(methods(price(timeout = "1 sec", last_good = "0s")))]
    values: PricesClient,
    #[dependency(methods(price(fallback = "free")))]
    text: PricesClient,
    #[dependency(methods)]
    which: PricesClient,
    #[dependency(methods(price))]
    what: PricesClient,
}

fn main() {}

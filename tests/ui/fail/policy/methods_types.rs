use kinoko::{CallError, prelude::*, resilience::Policy};

#[derive(Dependencies)]
struct Prices;

#[service(name = "prices")]
impl Prices {
    #[rpc]
    fn price(&self, article: u32) -> u32 {
        article
    }
}

async fn free(_: CallError<std::convert::Infallible>) -> Result<u32, CallError<std::convert::Infallible>> {
    Ok(0)
}

async fn other(_: CallError<std::convert::Infallible>) -> Result<String, CallError<std::convert::Infallible>> {
    Ok("0".to_owned())
}

fn blocking(_: CallError<std::convert::Infallible>) -> u32 {
    0
}

#[derive(Dependencies)]
struct Slips {
    #[dependency(methods(prise(timeout = "1s")))]
    unknown: PricesClient,
    #[dependency(methods(price(tmeout = "1s")))]
    key: PricesClient,
    #[dependency(methods(price(fallback = other)))]
    other_type: PricesClient,
    #[dependency(methods(price(fallback = blocking)))]
    not_async: PricesClient,
    #[dependency(name = "gateway", methods(price(fallback = free)))]
    no_client: Policy,
    #[dependency(last_good = "5m")]
    all: PricesClient,
}

fn main() {}

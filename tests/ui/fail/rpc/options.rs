#![allow(unused)]

use kinoko::prelude::*;

#[derive(Debug, thiserror::Error, ServiceError)]
enum OrderError {
    #[error("empty")]
    Empty,
}

type Fallible<T> = Result<T, OrderError>;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc(timeuot = "5s")]
    fn slip(&self) {}

    #[rpc(retries = 3)]
    fn unknown(&self) {}

    #[rpc("place")]
    fn bare(&self) {}

    #[rpc(name = "orders.place")]
    fn dotted(&self) {}

    #[rpc(name = place)]
    fn not_a_text(&self) {}

    #[rpc(timeout = "5 parsecs")]
    fn distance(&self) {}

    #[rpc(timeout = 5)]
    fn number(&self) {}

    #[rpc(max_workers = 0)]
    fn idle(&self) {}

    #[rpc(sensitive(pasword))]
    fn login(&self, password: String) {}

    #[rpc(sensitive(cx))]
    fn injected(&self, #[inject] cx: WorkerContext) {}

    #[rpc(sensitive(self::password))]
    fn path(&self, password: String) {}

    #[rpc(sensitive(password))]
    fn nothing_to_hide(&self) {}

    #[rpc(timeout = "5s" max_workers = 3)]
    fn no_comma(&self) {}

    #[rpc(sensitive = "password")]
    fn listed(&self, password: String) {}

    #[rpc(expected(Empty))]
    fn plain(&self) -> u32 {
        1
    }

    #[rpc(expected(Empty))]
    fn alias(&self) -> Fallible<u32> {
        Ok(1)
    }

    #[rpc(expected)]
    fn nothing_expected(&self) -> Fallible<u32> {
        Ok(1)
    }

    #[rpc(name = "a", name = "b")]
    fn named_twice(&self) {}

    #[rpc]
    #[rpc]
    fn marked_twice(&self) {}

    #[rpc = "place"]
    fn assigned(&self) {}
}

fn main() {}

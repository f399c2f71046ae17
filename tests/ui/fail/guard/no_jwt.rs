//! Whose token lets them call is looked at by a `Jwt`.

use kinoko::{auth::{Claims, Identity}, prelude::*};

#[derive(Dependencies)]
struct Guarded;

#[service(name = "guarded")]
impl Guarded {
    #[rpc]
    #[guard(role = "admin")]
    fn admin(&self) {}
}

#[derive(Dependencies)]
struct Open;

#[service(name = "open")]
impl Open {
    #[rpc]
    #[public]
    fn all(&self) {}
}

#[contract(name = "stock")]
trait Stock {
    async fn left(&self) -> u32;
}

#[derive(Dependencies)]
struct Warehouse;

impl Stock for Warehouse {
    async fn left(&self) -> u32 {
        1
    }
}

#[service(contract = Stock)]
#[guard]
impl Warehouse {}

#[derive(Dependencies)]
struct Injected;

#[service(name = "injected")]
impl Injected {
    #[rpc]
    fn who(&self, #[inject] who: Identity) -> String {
        who.subject().to_owned()
    }

    #[rpc]
    fn what(&self, #[inject] claims: Claims<String>) -> String {
        claims.into_inner()
    }
}

fn main() {}

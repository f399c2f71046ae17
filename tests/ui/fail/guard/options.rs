//! What `#[guard]` and `#[public]` take.

use kinoko::{auth::Jwt, prelude::*};

#[derive(Dependencies)]
struct Desk {
    jwt: Jwt,
}

#[service(name = "desk")]
impl Desk {
    #[rpc]
    #[guard("admin")]
    fn bare(&self) {}

    #[rpc]
    #[guard(roles("admin"))]
    fn plural(&self) {}

    #[rpc]
    #[guard(role)]
    fn without(&self) {}

    #[rpc]
    #[guard(role())]
    fn none(&self) {}

    #[rpc]
    #[guard(role(admin))]
    fn words(&self) {}

    #[rpc]
    #[guard(role = "")]
    fn empty(&self) {}

    #[rpc]
    #[guard(role("admin", "admin"))]
    fn twice(&self) {}

    #[rpc]
    #[guard(role = "a", role = "b")]
    fn two_keys(&self) {}

    #[rpc]
    #[guard(scope = "orders:read orders:write")]
    fn blanks(&self) {}

    #[rpc]
    #[guard(scope = "größe")]
    fn letters(&self) {}

    #[rpc]
    #[guard = "admin"]
    fn equals(&self) {}

    #[rpc]
    #[public(all)]
    fn options(&self) {}

    #[rpc]
    #[public]
    #[public]
    fn public_twice(&self) {}

    #[rpc]
    #[guard]
    #[public]
    fn both(&self) {}
}

fn main() {}

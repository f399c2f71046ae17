use std::borrow::Cow;

use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    fn iterator(&self) -> impl Iterator<Item = u8> {
        [1].into_iter()
    }

    #[rpc]
    fn itself(&self) -> Result<Self, kinoko::Error> {
        Ok(Self)
    }

    #[rpc]
    fn inside(&self) -> Option<&str> {
        None
    }

    #[rpc]
    fn cow(&self) -> Cow<'_, str> {
        "".into()
    }

    #[rpc]
    fn never(&self) -> ! {
        panic!()
    }
}

fn main() {}

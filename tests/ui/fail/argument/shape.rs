#![allow(unused)]

use std::borrow::Cow;

use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    fn pattern(&self, (id, count): (u64, u32), _: u8) {}

    #[rpc]
    fn exclusive(&self, lines: &mut Vec<u8>) {}

    #[rpc]
    fn any(&self, name: impl Into<String>, other: &dyn ToString) {}

    #[rpc]
    fn borrowed(&self, name: &'static str, text: Cow<'_, str>, inner: Option<&str>) {}

    #[rpc]
    fn sometimes(&self, #[cfg(unix)] id: u64) {}

    #[rpc]
    fn itself(&self, other: Vec<Self>) {}
}

fn main() {}

use std::rc::Rc;

use kinoko::prelude::*;

#[contract(name = "inventory")]
trait Inventory {
    async fn size(&self) -> usize;
}

struct Fake;

impl Inventory for Fake {
    async fn size(&self) -> usize {
        let shared = Rc::new(1);
        std::future::ready(()).await;
        *shared
    }
}

fn main() {}

use kinoko::prelude::*;

#[contract(name = "inventory")]
trait Inventory {
    async fn size(&self) -> u32;
}

#[derive(Dependencies)]
struct Warehouse;

#[service(contract = Inventory)]
impl Warehouse {}

trait Plain {}

#[derive(Dependencies)]
struct Store;

impl Plain for Store {}

#[service(contract = Plain)]
impl Store {}

fn main() {}

use kinoko::prelude::*;

#[contract(name = "generic")]
trait Generic<T> {
    async fn get(&self) -> u8;
}

#[contract(name = "items")]
trait Items {
    type Item;
    const LIMIT: usize;
    async fn get(&self) -> u8;
}

#[contract(name = "methods")]
trait Methods {
    async fn with_a_body(&self) -> u8 {
        3
    }
    async fn generic<T>(&self, value: T);
    async fn itself(&self) -> Box<Self>;
    async fn exclusive(&mut self);
    #[rpc(max_workers = 3)]
    async fn limited(&self);
    #[rpc(naem = "x")]
    async fn slip(&self);
}

#[contract(name = "empty")]
trait Empty {}

#[contract]
trait Nameless {
    fn get(&self);
}

#[contract(naem = "slip")]
trait Slip {
    fn get(&self);
}

#[contract(name = "dotted.name")]
trait Dotted {
    fn get(&self);
}

#[contract(name = "structs")]
struct Structs;

#[contract(name = "twice")]
trait Twice {
    fn get(&self);
    #[rpc(name = "get")]
    fn get_again(&self);
}

#[contract(name = "bounded")]
trait Bounded
where
    Self: Sized,
{
    fn get(&self);
}

#[contract(name = "marked")]
trait Marked {
    #[rpc]
    #[rpc]
    fn get(&self);
}

#[contract(name = "unsafe")]
unsafe trait Unsafe {
    fn get(&self);
}

fn main() {}

#![allow(unused_variables)]

use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[http(GET, "orders")]
    fn no_slash(&self) {}

    #[http(GET, "/orders//all")]
    fn two_slashes(&self) {}

    #[http(GET, "/orders/:id")]
    fn colon(&self, id: u32) {}

    #[http(GET, "/orders/<id>")]
    fn flask(&self, id: u32) {}

    #[http(GET, "/orders/{id}.json")]
    fn part(&self, id: u32) {}

    #[http(GET, "/orders/{}")]
    fn no_name(&self) {}

    #[http(GET, "/orders/{id}/{id}")]
    fn twice(&self, id: u32) {}

    #[http(GET, "/files/{*rest}/size")]
    fn not_last(&self, rest: String) {}

    #[http(GET, "/orders?limit={limit}")]
    fn query(&self, limit: u32) {}

    #[http(GET, "/orders/{id}")]
    fn no_parameter(&self) {}

    #[http(GET, "/orders/{cx}")]
    fn injected(&self, #[inject] cx: WorkerContext) {}
}

#[derive(Dependencies)]
struct Others;

#[service(name = "others")]
impl Others {
    #[http(GET, "/others/{id}")]
    fn get(&self, id: u32) {}

    #[http(GET, "/others/{number}")]
    fn get_again(&self, number: u32) {}

    #[http(DELETE, "/others/{number}")]
    fn delete(&self, number: u32) {}
}

fn main() {}

#![allow(unused_variables)]

use kinoko::{
    http::axum::{
        Json,
        extract::{Path, Query},
        http::HeaderMap,
        response::Sse,
    },
    prelude::*,
};

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[http(GET, "/a")]
    fn body_of_get(&self, #[body] order: String) {}

    #[http(POST, "/b/{id}")]
    fn path_and_query(&self, #[query] id: u32) {}

    #[http(POST, "/c")]
    fn two_places(&self, #[query] #[header] id: u32) {}

    #[http(POST, "/d")]
    fn whole_and_field(&self, #[body] order: String, note: String) {}

    #[http(POST, "/e")]
    fn two_formats(&self, #[form] order: String, #[multipart] note: String) {}

    #[http(POST, "/f")]
    fn named_query(&self, #[query("limit")] limit: u32) {}

    #[http(POST, "/g")]
    fn header_name(&self, #[header("x tenant")] tenant: String) {}

    #[http(POST, "/h")]
    fn header_key(&self, #[header(name = "x-tenant")] tenant: String) {}

    #[http(POST, "/i")]
    fn misspelt(&self, #[querry] limit: u32) {}

    #[http(POST, "/j")]
    fn injected(&self, #[inject] #[query] cx: WorkerContext) {}

    #[http(POST, "/k")]
    fn extracted(&self, #[extract] #[query] headers: HeaderMap) {}

    #[rpc]
    #[http(POST, "/l")]
    fn two_doors(&self, #[extract] headers: HeaderMap) {}

    #[rpc]
    #[http(GET, "/m/{id}")]
    fn two_doors_and_a_pattern(&self, Path(id): Path<u32>) {}

    #[rpc]
    fn no_request(&self, #[query] limit: u32, #[extract] headers: HeaderMap) {}

    #[http(GET, "/n")]
    #[timer(every = "10s")]
    fn fired_by_the_clock(&self, Query(page): Query<u32>) {}

    fn nothing_fires(&self, #[header] tenant: String) {}

    #[http(GET, "/o")]
    fn opaque(&self) -> impl Sized {}

    #[http(GET, "/stream")]
    fn opaque_inside(&self) -> Sse<impl Sized> {}

    #[http(GET, "/p")]
    fn borrowed(&self) -> Vec<&str> {
        Vec::new()
    }
}

#[derive(Dependencies)]
struct Types;

#[service(name = "types")]
impl Types {
    #[http(POST, "/q")]
    fn body_twice(&self, order: String, Json(other): Json<u32>) {}
}

fn main() {}

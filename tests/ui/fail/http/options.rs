#![allow(unused_variables)]

use kinoko::prelude::*;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders", http = "/api/")]
impl Orders {
    #[http]
    fn nothing(&self) {}

    #[http(GET)]
    fn no_path(&self) {}

    #[http("/a")]
    fn no_method(&self) {}

    #[http("get", "/b")]
    fn text(&self) {}

    #[http(get, "/c")]
    fn lower(&self) {}

    #[http(FETCH, "/d")]
    fn unknown(&self) {}

    #[http(GET, path)]
    fn path_is_no_text(&self) {}

    #[http(GET, "/e", "/f")]
    fn two_paths(&self) {}

    #[http(GET, "/g", staus = 201)]
    fn misspelt(&self) {}

    #[http(GET, "/h", status = 404)]
    fn status(&self) {}

    #[http(GET, "/content", status = 204)]
    fn content(&self) -> String {
        String::new()
    }

    #[http(GET, "/i", deprecated = true)]
    fn flag(&self) {}

    #[http(GET, "/j", timeout = "0s")]
    fn no_time(&self) {}

    #[http(GET, "/k", sensitive(pasword))]
    fn secret(&self, password: String) {}

    #[http = "/l"]
    fn equals(&self) {}
}

fn main() {}

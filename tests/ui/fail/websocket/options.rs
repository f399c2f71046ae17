#![allow(unused_variables)]

use kinoko::prelude::*;

#[derive(Dependencies)]
struct Chat;

#[service(name = "chat")]
impl Chat {
    #[websocket(nmae = "say")]
    fn misspelt(&self, text: String) {}

    #[websocket]
    #[websocket]
    fn twice(&self) {}

    #[websocket]
    fn join(&self, (room, name): (String, String)) {}

    #[websocket(name = "leave")]
    fn leave(&self) {}

    #[websocket(name = "leave")]
    fn leave_again(&self) {}
}

fn main() {}

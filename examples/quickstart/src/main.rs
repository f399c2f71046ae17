//! A service, and a program that serves it: `cargo run -p quickstart`.

use kinoko::prelude::*;

#[derive(Dependencies)]
struct GreetingService;

#[service(name = "greeting_service")]
impl GreetingService {
    /// Greets somebody by name.
    #[rpc]
    async fn hello(&self, name: String) -> String {
        format!("Hello, {name}!")
    }
}

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    kinoko::run().await
}

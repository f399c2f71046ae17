//! A service over HTTP that tests find by Consul, and kill.

use kinoko::prelude::*;

#[derive(Dependencies)]
struct Stock;

#[service(name = "stock")]
impl Stock {
    #[http(GET, "/left")]
    fn left(&self) -> u32 {
        7
    }
}

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    App::linked().version("1.2.3").run().await
}

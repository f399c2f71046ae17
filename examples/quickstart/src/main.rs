//! A service and a typed call: `cargo run -p quickstart`.
#![allow(clippy::print_stdout, reason = "the example shows its reply")]

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
    // `cargo run -p quickstart -- run` serves until Ctrl-C, over RabbitMQ where KINOKO_AMQP_URI names one.
    if std::env::args().nth(1).as_deref() == Some("run") {
        return kinoko::run().await;
    }
    let app = App::linked().start().await?;
    let greeting = app.client::<GreetingServiceClient>().hello("Ada".into()).await?;
    println!("{greeting}");
    app.stop().await
}

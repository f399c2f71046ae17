//! The whole shop in one process, with a simulated gateway beside it: `cargo run -p shop` serves it, `cargo run -p shop -- demo` buys something
//! and tells what happened, with `--fail payments` what happens when the bank declines, and with `--fail gateway` when nobody can ask it;
//! `cargo run -p shop -- --help` tells what else there is.

use gateway::Gateway;
use shop::demo::{self, Demo};

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["demo"] => demo::run(Demo::Buys, &mut std::io::stdout()).await,
        ["demo", "--fail", "payments"] => demo::run(Demo::PaymentsFail, &mut std::io::stdout()).await,
        ["demo", "--fail", "gateway"] => demo::run(Demo::GatewayFails, &mut std::io::stdout()).await,
        ["demo", ..] => Err(kinoko::Error::msg("write `demo`, `demo --fail payments`, or `demo --fail gateway`")),
        _ => {
            let gateway = Gateway::open("127.0.0.1:0").await?;
            // A saga outlives its process, wherever nobody says otherwise.
            shop::app(&gateway).default_setting("saga.log", "sqlite:orders.db").run().await
        }
    }
}

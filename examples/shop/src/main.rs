//! The whole shop in one process: `cargo run -p shop` serves it, `cargo run -p shop -- demo` buys something and tells what happened, with
//! `--fail payments` what happens when nobody pays; `cargo run -p shop -- --help` tells what else there is.

use shop::demo::{self, Demo};

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["demo"] => demo::run(Demo::Buys, &mut std::io::stdout()).await,
        ["demo", "--fail", "payments"] => demo::run(Demo::PaymentsFail, &mut std::io::stdout()).await,
        ["demo", ..] => Err(kinoko::Error::msg("write `demo`, or `demo --fail payments`")),
        // A saga outlives its process, wherever nobody says otherwise.
        _ => shop::app().default_setting("saga.log", "sqlite:orders.db").run().await,
    }
}

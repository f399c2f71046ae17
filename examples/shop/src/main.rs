//! The whole shop in one process: `cargo run -p shop` serves it, `cargo run -p shop -- demo` buys something and tells what happened,
//! `cargo run -p shop -- --help` tells what else there is.

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("demo") => shop::demo::run(&mut std::io::stdout()).await,
        _ => shop::app().run().await,
    }
}

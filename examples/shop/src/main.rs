//! The whole shop in one process: `cargo run -p shop` serves it, `cargo run -p shop -- demo` buys something and tells what happened.

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    match std::env::args().nth(1).as_deref() {
        None | Some("run") => shop::app().run().await,
        Some("demo") => shop::demo::run(&mut std::io::stdout()).await,
        Some(other) => Err(kinoko::Error::new(
            kinoko::ErrorKind::Usage,
            format!("`{other}` is no command: write `run` (the default) or `demo`"),
        )),
    }
}

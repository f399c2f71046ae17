//! The gateway as a program of its own: `cargo run -p gateway -- [ADDRESS [SWITCH]]`, by default at `127.0.0.1:8090` with nothing wrong.
//! `curl -X PUT 127.0.0.1:8090/switch -H 'content-type: application/json' -d '{"outage": "silent"}'` takes it down.

use gateway::{Gateway, Switch};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8090".to_owned());
    let switch: Switch = arguments.next().map_or(Ok(Switch::default()), |switch| serde_json::from_str(&switch))?;
    let mut gateway = Gateway::open(&address).await?;
    gateway.switch(switch);
    tell(&gateway.url());
    Ok(gateway.serve().await?)
}

#[expect(clippy::print_stdout, reason = "whoever runs it wants to know")]
fn tell(url: &str) {
    println!("the payment gateway is simulated at {url}");
}

//! The inventory as a program of its own: `cargo run -p inventory`, over RabbitMQ where `KINOKO_AMQP_URI` names one.

use inventory::InventoryService;
use kinoko::App;

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    App::new().service::<InventoryService>().run().await
}

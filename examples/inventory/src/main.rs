//! The inventory as a program of its own: `cargo run -p inventory-service`, over RabbitMQ where `KINOKO_AMQP_URI` names one.

use inventory_service::InventoryService;
use kinoko::App;

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    App::new().service::<InventoryService>().run().await
}

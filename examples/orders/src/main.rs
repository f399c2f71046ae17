//! The orders as a program of their own: `cargo run -p orders-service`, over RabbitMQ where `KINOKO_AMQP_URI` names one.

use kinoko::App;
use orders_service::OrdersService;

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    // A saga outlives its process, wherever nobody says otherwise.
    App::new().service::<OrdersService>().default_setting("saga.log", "sqlite:orders.db").run().await
}

//! The orders as a program of their own: `cargo run -p orders-service`, over RabbitMQ where `KINOKO_AMQP_URI` names one.

use kinoko::App;
use orders_service::OrdersService;

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    App::new().service::<OrdersService>().run().await
}

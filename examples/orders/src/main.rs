//! The orders as a program of their own: `cargo run -p orders`, over RabbitMQ where `KINOKO_AMQP_URI` names one.

use kinoko::App;
use orders::OrdersService;

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    App::new().service::<OrdersService>().run().await
}

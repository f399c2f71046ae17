//! The payments as a program of their own: `cargo run -p payments-service`, over RabbitMQ where `KINOKO_AMQP_URI` names one.

use kinoko::App;
use payments_service::PaymentsService;

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    App::new().service::<PaymentsService>().run().await
}

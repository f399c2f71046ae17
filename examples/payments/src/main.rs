//! The payments as a program of their own: `cargo run -p payments-service`, over RabbitMQ where `KINOKO_AMQP_URI` names one. The gateway that it
//! asks is `cargo run -p gateway`, or where `KINOKO_PAYMENTS__GATEWAY` says.

use kinoko::App;
use payments_service::PaymentsService;

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    let payments = App::new().service::<PaymentsService>();
    payments.default_setting("payments.gateway", "http://127.0.0.1:8090").run().await
}

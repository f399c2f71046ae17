//! The users as a program: `cargo run -p users`, then open http://127.0.0.1:8000/docs.

use kinoko::App;
use users::UsersService;

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    App::new().service::<UsersService>().run().await
}

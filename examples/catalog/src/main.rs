//! The catalog as a program: `cargo run -p catalog`, then open http://127.0.0.1:8000/docs.
//!
//! `KINOKO_CATALOG__DATABASE=sqlite://catalog.db?mode=rwc` keeps the articles in a file; without it they are gone at the end.

use catalog::CatalogService;
use kinoko::App;

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    App::new().service::<CatalogService>().run().await
}

//! Links no service, as a program does whose services are in a library that it never names.

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    kinoko::run().await
}

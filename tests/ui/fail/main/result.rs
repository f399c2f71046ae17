#[kinoko::main]
async fn main() -> Result<(), String> {
    Ok(())
}

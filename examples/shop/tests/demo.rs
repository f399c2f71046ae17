//! What `cargo run -p shop -- demo` shows.

use shop::demo::{self, Demo};

async fn shown(demo: Demo) -> kinoko::Result<String> {
    let mut out = Vec::new();
    demo::run(demo, &mut out).await?;
    Ok(String::from_utf8(out)?)
}

fn in_order(text: &str, lines: &[&str]) {
    let mut rest = text;
    for line in lines {
        rest = rest.split_once(line).unwrap_or_else(|| panic!("no `{line}` there, or not in its place:\n{text}")).1;
    }
}

#[tokio::test]
async fn an_order_is_placed_and_cancelled() -> kinoko::Result<()> {
    let text = shown(Demo::Buys).await?;
    in_order(&text, &["In stock: 10", "Order 1 placed", "completed", "In stock: 8", "cancelled", "In stock: 10"]);
    Ok(())
}

#[tokio::test]
async fn what_the_bank_declines_is_taken_back() -> kinoko::Result<()> {
    let text = shown(Demo::PaymentsFail).await?;
    in_order(&text, &["In stock: 10", "Refused: the bank declined 4900 cents", "compensated", "In stock: 10"]);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_paid_now_is_paid_later() -> kinoko::Result<()> {
    let text = shown(Demo::GatewayFails).await?;
    in_order(&text, &["Order 1 placed", "4900 cents: Pending", "is back", "4900 cents: Charged", "and charged 1"]);
    Ok(())
}

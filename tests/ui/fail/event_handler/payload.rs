use kinoko::prelude::*;

#[event(source = "orders")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Placed {
    customer: u64,
}

struct Opaque;

#[derive(Dependencies)]
struct Audit;

#[service(name = "audit")]
impl Audit {
    #[event_handler(Placed)]
    fn other(&self, customer: u64) {
        let _ = customer;
    }

    #[event_handler(Placed)]
    async fn text(&self, placed: &str) {
        let _ = placed;
    }

    #[event_handler(Placed, batch = 10)]
    fn batch(&self, placed: &[String]) {
        let _ = placed;
    }

    #[event_handler("orders", "placed")]
    fn opaque(&self, placed: &Opaque) {
        let _ = placed;
    }
}

fn main() {}

use kinoko::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Placed;

#[derive(Dependencies)]
struct Audit;

#[service(name = "audit")]
impl Audit {
    #[event_handler(Placed)]
    fn on_placed(&self, placed: Placed) {
        let _ = placed;
    }

    #[event_handler(Cancelled)]
    fn on_cancelled(&self) {}
}

fn main() {}

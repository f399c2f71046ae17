use kinoko::prelude::*;

#[event(source = "orders")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Placed;

#[derive(Dependencies)]
struct Audit;

#[service(name = "audit")]
impl Audit {
    #[event_handler(Placed)]
    fn two(&self, placed: Placed, cx: WorkerContext) {
        let _ = (placed, cx);
    }

    #[event_handler("orders", "placed")]
    fn default(&self, #[default(3)] count: u32) {
        let _ = count;
    }

    #[event_handler(Placed)]
    fn by_mut(&self, placed: &mut Placed) {
        let _ = placed;
    }

    #[event_handler(Placed, batch = 10)]
    fn one_of_a_batch(&self, placed: Placed) {
        let _ = placed;
    }

    #[event_handler(Placed, batch = 10)]
    fn nothing_of_a_batch(&self) {}

    #[rpc]
    #[event_handler(Placed)]
    fn called_and_handled(&self, id: u64, count: u32) {
        let _ = (id, count);
    }
}

fn main() {}

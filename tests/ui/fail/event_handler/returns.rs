use kinoko::prelude::*;

#[event(source = "orders")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Placed;

type Counted = Result<u64, Retry>;

#[derive(Dependencies)]
struct Audit;

#[service(name = "audit")]
impl Audit {
    #[event_handler(Placed)]
    fn value(&self) -> u64 {
        1
    }

    #[event_handler(Placed)]
    async fn value_by_an_alias(&self) -> Counted {
        Ok(1)
    }

    #[event_handler(Placed)]
    fn no_verdict(&self) -> Result<(), String> {
        Ok(())
    }

    #[event_handler(Placed, batch = 10)]
    fn batch(&self, placed: Vec<Placed>) -> Vec<bool> {
        placed.iter().map(|_| true).collect()
    }

    #[timer(every = "1s")]
    async fn tick(&self) -> Result<(), std::io::Error> {
        Ok(())
    }
}

fn main() {}

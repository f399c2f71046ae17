use kinoko::prelude::*;

#[derive(Dependencies)]
struct Clock;

#[service(name = "clock")]
impl Clock {
    #[timer]
    fn never(&self) {}

    #[timer("10s")]
    fn no_key(&self) {}

    #[timer(evry = "10s")]
    fn misspelt(&self) {}

    #[timer(every = "10s", cron = "* * * * *")]
    fn both(&self) {}

    #[timer(every = "0s")]
    fn always(&self) {}

    #[timer(every = "1us")]
    fn a_loop(&self) {}

    #[timer(every = 10)]
    fn no_unit(&self) {}

    #[timer(every = "10s", zone = "Europe/Berlin")]
    fn zone(&self) {}

    #[timer(cron = "*/5 * * *")]
    fn four_fields(&self) {}

    #[timer(cron = "0 24 * * *")]
    fn hour(&self) {}

    #[timer(every = "10s", once_per = "instance")]
    fn once_per(&self) {}

    #[timer(every = "10s", eager = true)]
    fn eager(&self) {}

    #[timer(every = "10s")]
    fn takes_something(&self, count: u32) {
        let _ = count;
    }
}

fn main() {}

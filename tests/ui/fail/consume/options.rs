use kinoko::prelude::*;

#[derive(Dependencies)]
struct Mail;

#[service(name = "mail")]
impl Mail {
    #[consume]
    fn none(&self) {}

    #[consume(Letters)]
    fn no_text(&self) {}

    #[consume("a", "b")]
    fn two(&self) {}

    #[consume("c", exchnage = "letters")]
    fn misspelt(&self) {}

    #[consume("d", routing_key = "letter.*")]
    fn no_exchange(&self) {}

    #[consume("e", exchange = "letters", kind = "fan_out")]
    fn kind(&self) {}

    #[consume("h", exchange = "")]
    fn default_exchange(&self) {}

    #[consume("amq.gen")]
    fn of_the_broker(&self) {}

    #[consume("rpc-mail")]
    fn of_kinoko(&self) {}

    #[consume("f", declare)]
    fn no_value(&self) {}

    #[consume("g")]
    fn first(&self) {}

    #[consume("g")]
    fn second(&self) {}
}

fn main() {}

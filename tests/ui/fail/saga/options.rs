use kinoko::prelude::*;

#[derive(Dependencies)]
struct Named;

#[saga]
impl Named {
    #[step]
    fn only(&self) {}
}

#[derive(Dependencies)]
struct Options;

#[saga(name = "place order", vresion = 2, timeout = "1 week ago")]
impl Options {
    #[step(compensation = undo)]
    fn misspelt(&self) {}

    #[step(retry = 3, when = "never")]
    fn wrong(&self) {}

    #[step(retry(max = 0, in_place))]
    fn too_few(&self) {}

    #[wait]
    fn what(&self, _: ()) {}

    #[wait(signal = "go")]
    fn how_long(&self, _: ()) {}

    #[wait(signal = "kinoko.cancel", timeout = "1h")]
    fn taken(&self, _: ()) {}

    #[step]
    #[wait(signal = "go", timeout = "1h")]
    fn both(&self, _: ()) {}

    #[step]
    fn generic<T>(self) {}
}

#[derive(Dependencies)]
struct Empty;

#[saga(name = "empty")]
impl Empty {
    fn helper(&self) {}
}

struct Stray;

impl Stray {
    #[step]
    fn step(&self) {}
}

fn main() {}

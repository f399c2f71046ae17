//! Generated code needs nothing in scope.
#![no_implicit_prelude]
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![forbid(unsafe_code)]

#[derive(Debug, ::thiserror::Error, ::kinoko::ServiceError)]
enum Broken {
    #[error("twice {0}")]
    Twice(u8),
    #[error("named {left}")]
    Named { left: u8 },
    #[error("io")]
    #[fault(internal)]
    Io(::std::io::Error),
    #[error("inner")]
    #[fault(forward)]
    Inner(::kinoko::CallError<::std::convert::Infallible>),
}

type Fallible<T> = ::std::result::Result<T, Broken>;

#[::kinoko::contract(name = "small")]
trait Small {
    async fn twice(&self, n: u8) -> ::std::result::Result<u8, Broken>;
}

#[derive(::kinoko::Dependencies)]
struct Machine {
    #[dependency(key = "machine.limit", default = 5)]
    limit: ::kinoko::Config<u8>,
    #[dependency(timeout = "2s")]
    other: SmallClient,
}

#[::kinoko::service(name = "machine")]
impl Machine {
    #[rpc(expected(Twice), sensitive(name))]
    async fn run(
        &self,
        #[inject] cx: ::kinoko::WorkerContext,
        name: &str,
        lines: &[u8],
        #[default(3)] limit: u8,
        tag: ::std::option::Option<u8>,
    ) -> ::std::result::Result<u8, Broken> {
        let _ = (cx, name, lines, tag, &self.other, &self.limit);
        ::std::result::Result::Ok(limit)
    }

    #[rpc]
    fn alias(&self) -> Fallible<u8> {
        ::std::result::Result::Err(Broken::Named { left: 1 })
    }
}

#[::kinoko::event(source = "machine")]
#[derive(Debug, ::serde::Serialize, ::serde::Deserialize)]
struct Started {
    speed: u8,
}

#[derive(Debug, ::kinoko::EventSet)]
enum MachineEvent {
    Started(Started),
}

#[derive(::kinoko::Dependencies)]
struct Watcher;

#[::kinoko::service(name = "watcher")]
impl Watcher {
    #[event_handler(Started, retry(max = 3, backoff = "1s"), timeout = "1s", idempotent(store = "process"))]
    async fn started(&self, event: &Started) -> ::std::result::Result<(), Broken> {
        ::std::result::Result::Err(Broken::Named { left: event.speed })
    }

    #[event_handler(MachineEvent, ordered_by = "speed", name = "other")]
    fn any(&self, MachineEvent::Started(Started { speed }): MachineEvent) {
        let _ = speed;
    }

    #[event_handler("machine", "started.*", batch = 3)]
    #[consume("starts", exchange = "machines", kind = "fanout", batch = 3)]
    fn many(&self, events: &[::std::string::String]) -> ::std::vec::Vec<::std::result::Result<(), Broken>> {
        let _ = events;
        ::std::vec::Vec::new()
    }

    #[timer(every = "1h", eager)]
    #[timer(cron = "0 0 * * *")]
    fn tick(&self, #[inject] cx: ::kinoko::WorkerContext) -> Fallible<()> {
        let _ = cx;
        ::std::result::Result::Ok(())
    }
}

#[derive(::kinoko::Dependencies)]
struct Server;

#[::kinoko::service(contract = Small)]
impl Server {
    #[timer(every = "1h")]
    fn tick(&self) {}
}

impl Small for Server {
    async fn twice(&self, n: u8) -> ::std::result::Result<u8, Broken> {
        if n == 0 { ::std::result::Result::Err(Broken::Twice(n)) } else { ::std::result::Result::Ok(n * 2) }
    }
}

#[derive(::kinoko::Dependencies)]
struct ByBlock;

#[::kinoko::service(contract = Small)]
impl ByBlock {
    #[rpc]
    async fn twice(&self, n: u8) -> ::std::result::Result<u8, Broken> {
        if n == 0 { ::std::result::Result::Err(Broken::Twice(n)) } else { ::std::result::Result::Ok(n * 2) }
    }

    #[event_handler(Started)]
    fn started(&self) {}
}

#[::kinoko::main]
async fn main() -> ::kinoko::Result<()> {
    let _ = (Broken::Io, Broken::Inner, ByBlock);
    let app = ::kinoko::App::new().service::<Machine>().service::<Server>().service::<Watcher>().start().await?;
    ::std::assert_eq!(app.client::<SmallClient>().twice(4).await?, 8);
    ::std::assert!(::std::matches!(app.client::<MachineClient>().alias().await, ::std::result::Result::Err(_)));
    app.stop().await
}

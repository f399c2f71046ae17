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

#[derive(::kinoko::Dependencies)]
struct Server;

#[::kinoko::service(contract = Small)]
impl Server {
    #[rpc]
    async fn twice(&self, n: u8) -> ::std::result::Result<u8, Broken> {
        if n == 0 { ::std::result::Result::Err(Broken::Twice(n)) } else { ::std::result::Result::Ok(n * 2) }
    }
}

#[::kinoko::main]
async fn main() -> ::kinoko::Result<()> {
    let _ = (Broken::Io, Broken::Inner);
    let app = ::kinoko::App::new().service::<Machine>().service::<Server>().start().await?;
    ::std::assert_eq!(app.client::<SmallClient>().twice(4).await?, 8);
    ::std::assert!(::std::matches!(app.client::<MachineClient>().alias().await, ::std::result::Result::Err(_)));
    app.stop().await
}

//! Methods that a `cfg` takes away do not shift the others.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![allow(unexpected_cfgs)]

use kinoko::{__private::Service, prelude::*};

#[derive(Dependencies)]
struct Parts;

#[service(name = "parts")]
impl Parts {
    #[cfg(absent)]
    #[rpc]
    fn gone(&self, engine: NoSuchType) -> NoSuchType {
        engine
    }

    #[rpc]
    fn first(&self) -> u8 {
        1
    }

    #[allow(dead_code)]
    fn between(&self) {}

    #[cfg(absent)]
    #[rpc(name = "second")]
    fn other_second(&self) -> u8 {
        0
    }

    #[cfg(not(absent))]
    #[rpc]
    fn second(&self, #[default(1)] add: u8) -> u8 {
        1 + add
    }
}

#[event(source = "parts")]
#[cfg(absent)]
struct Worn(NoSuchType);

#[derive(Dependencies)]
struct Watching;

#[service(name = "watching")]
impl Watching {
    #[cfg(absent)]
    #[event_handler(Worn)]
    fn worn(&self, event: Worn) {}

    #[event_handler("parts", "made")]
    #[timer(every = "1h")]
    fn made(&self) {}

    #[cfg(absent)]
    #[event_handler("parts", "gone")]
    #[consume("parts")]
    fn gone(&self, event: NoSuchType) {}

    #[cfg(not(absent))]
    #[event_handler("parts", "made", name = "other")]
    fn made_here(&self) {}

    #[cfg(absent)]
    #[event_handler("parts", "made", name = "other")]
    fn made_elsewhere(&self) {}
}

#[contract(name = "maker")]
trait Maker {
    #[cfg(absent)]
    async fn gone(&self, engine: NoSuchType) -> NoSuchType;
    async fn make(&self, count: u8) -> u8;
    #[cfg(absent)]
    async fn gone_too(&self) -> u8;
    async fn wait(&self) -> u8;
}

#[derive(Dependencies)]
struct Workshop;

#[service(contract = Maker)]
impl Workshop {
    #[rpc]
    async fn wait(&self) -> u8 {
        0
    }

    #[cfg(absent)]
    #[rpc]
    async fn gone_too(&self) -> u8 {
        0
    }

    #[rpc]
    async fn make(&self, count: u8) -> u8 {
        count + 1
    }
}

#[derive(Dependencies)]
struct Sometimes;

#[service(name = "sometimes")]
#[cfg(absent)]
impl Sometimes {
    #[rpc]
    fn gone(&self, engine: NoSuchType) {}
}

#[contract(name = "sometimes")]
#[cfg(absent)]
trait Never {
    fn gone(&self, engine: NoSuchType);
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> kinoko::Result<()> {
    let _ = Sometimes;
    let methods = Parts::DESCRIPTOR.methods;
    let known: Vec<_> = methods.iter().map(|method| (method.index, method.name)).collect();
    assert_eq!(known, [(1, "first"), (3, "second")]);

    assert_eq!(Watching::DESCRIPTOR.entrypoints().collect::<Vec<_>>(), [(1, "made"), (5, "other"), (2, "made")]);

    let parts = PartsClient::from_service(Parts);
    assert_eq!(parts.first().await?, 1);
    assert_eq!(parts.second(2).await?, 3);

    let app = kinoko::App::new().service::<Parts>().service::<Workshop>().start().await?;
    assert_eq!(app.client::<PartsClient>().second(4).await?, 5);
    let maker = app.client::<MakerClient>();
    assert_eq!((maker.make(1).await?, maker.wait().await?), (2, 0));
    app.stop().await
}

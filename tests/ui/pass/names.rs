//! Names of the user's that generated code might have taken for itself.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![forbid(unsafe_code)]
#![allow(non_upper_case_globals, non_camel_case_types)]

use kinoko::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct D(u8);
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct S(u8);
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Kwargs(u8);

/// Their own `Result`, `Option`, `String` and `Vec` are not the standard library's.
mod shadowed {
    use kinoko::prelude::*;

    #[allow(dead_code)]
    type Some = u8;
    #[allow(dead_code)]
    type Ok = u8;
    #[allow(dead_code)]
    type Box = u8;
    #[allow(dead_code)]
    type Send = u8;

    #[derive(Dependencies)]
    pub(crate) struct Shadows;

    #[service(name = "shadows")]
    impl Shadows {
        #[rpc]
        fn count(&self, name: &str, ids: &[u8]) -> usize {
            name.len() + ids.len()
        }
    }
}

const INFO: u8 = 3;

#[derive(Debug, thiserror::Error, ServiceError)]
enum Failure {
    #[error("{data} {fault} {inner}")]
    Named { data: u8, fault: u8, inner: u8 },
}

#[contract(name = "names")]
trait Names {
    async fn all(&self, method: D, args: S, call: Kwargs, value: u8, service: u8) -> Result<u8, Failure>;
    fn client(&self, info: u8) -> u8;
}

#[derive(Dependencies)]
struct Config_ {
    #[dependency(key = "a", default = 1)]
    cx: Config<u8>,
    #[dependency(key = "b", default = 2)]
    options: Config<u16>,
    #[dependency(key = "c", default = 3)]
    offer0: Config<u32>,
}

#[service(contract = Names)]
impl Config_ {
    #[rpc]
    async fn all(&self, method: D, args: S, call: Kwargs, value: u8, service: u8) -> Result<u8, Failure> {
        if value == 0 {
            return Err(Failure::Named { data: 1, fault: 2, inner: 3 });
        }
        Ok(method.0 + args.0 + call.0 + value + service)
    }

    #[rpc]
    fn client(&self, #[default(INFO)] info: u8) -> u8 {
        info + *self.cx + u8::try_from(*self.options).unwrap() + u8::try_from(*self.offer0).unwrap()
    }
}

#[derive(Dependencies)]
struct Own;

#[service(name = "own")]
impl Own {
    #[rpc]
    async fn all(&self, method: D, serializer: S, map: Kwargs, index: u8, name: u8, #[inject] cx: WorkerContext) -> u8 {
        let _ = cx;
        method.0 + serializer.0 + map.0 + index + name
    }

    #[rpc]
    fn descriptor(&self) -> u8 {
        1
    }

    #[rpc]
    fn dispatch(&self, call: u8) -> u8 {
        call
    }

    #[rpc]
    fn setup(&self, r#self_: u8) -> u8 {
        r#self_
    }

    #[rpc]
    fn from(&self) -> u8 {
        4
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> kinoko::Result<()> {
    let app = App::new().service::<Config_>().service::<Own>().start().await?;
    let names = app.client::<NamesClient>();
    assert_eq!(names.all(D(1), S(2), Kwargs(3), 4, 5).await?, 15);
    assert!(names.all(D(1), S(2), Kwargs(3), 0, 5).await.is_err());
    assert_eq!(names.client(1).await?, 7);
    assert_eq!(app.proxy().call("names", "client").await?, 9);
    let own = app.client::<OwnClient>();
    assert_eq!(own.all(D(1), S(2), Kwargs(3), 4, 5).await?, 15);
    assert_eq!((own.descriptor().await?, own.dispatch(2).await?, own.setup(3).await?), (1, 2, 3));
    assert_eq!(own.from().await?, 4);
    assert_eq!(shadowed::ShadowsClient::from_service(shadowed::Shadows).count("ab", &[1]).await?, 3);
    app.stop().await
}

//! Every macro through a re-export, with `kinoko` itself out of reach.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub)]
#![forbid(unsafe_code)]

/// What a company's own framework crate would re-export.
mod platform {
    pub(crate) mod inner {
        pub(crate) use ::kinoko as rpc_framework;
    }
}

/// Hides the real one from `kinoko::…` paths without a leading `::`.
#[allow(dead_code)]
mod kinoko {}

use platform::inner::rpc_framework as framework;

#[derive(Debug, framework::ServiceError)]
#[fault(crate = crate::platform::inner::rpc_framework)]
enum Refused {
    #[fault(http = 403)]
    No { why: String },
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no")
    }
}

#[framework::contract(name = "doors", crate = framework)]
trait Doors {
    async fn open(&self, name: String) -> Result<bool, Refused>;
}

#[framework::event(source = "house", crate = framework)]
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Rang {
    door: String,
}

#[derive(Debug, framework::EventSet)]
#[event_set(crate = framework)]
enum HouseEvent {
    Rang(Rang),
}

#[derive(framework::Dependencies)]
#[dependency(crate = framework)]
struct Dog;

#[framework::service(name = "dog", crate = framework)]
impl Dog {
    #[framework::event_handler(Rang)]
    fn bark(&self) -> Result<(), Refused> {
        Err(Refused::No { why: "asleep".to_owned() })
    }

    #[event_handler(HouseEvent, kind = "broadcast")]
    fn look(&self, HouseEvent::Rang(Rang { door }): HouseEvent) {
        drop(door);
    }

    #[framework::consume("bones")]
    fn eat(&self, bone: Rang) {
        drop(bone.door);
    }

    #[framework::timer(every = "1h")]
    fn sleep(&self) {}
}

#[derive(framework::Dependencies)]
#[dependency(crate = framework)]
struct House {
    #[dependency(timeout = "1s")]
    neighbours: DoorsClient,
}

#[framework::service(name = "house", crate = framework)]
impl House {
    #[framework::rpc]
    fn number(&self) -> u8 {
        let _ = &self.neighbours;
        3
    }
}

struct Open;

impl Doors for Open {
    async fn open(&self, name: String) -> Result<bool, Refused> {
        if name.is_empty() { Err(Refused::No { why: name }) } else { Ok(true) }
    }
}

#[framework::main(worker_threads = 1, crate = framework)]
async fn main() -> framework::Result<()> {
    let _ = Dog;
    let doors = DoorsClient::from_service(Open);
    assert!(doors.open("front".to_owned()).await?);
    assert!(matches!(doors.open(String::new()).await, Err(framework::CallError::Service(Refused::No { why })) if why.is_empty()));
    let house = HouseClient::from_service(House { neighbours: doors });
    assert_eq!(house.number().await?, 3);
    Ok(())
}

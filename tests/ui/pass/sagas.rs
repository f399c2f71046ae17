#![deny(warnings)]

use kinoko::{
    prelude::*,
    saga::{Definition, Outcome, StepKey},
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub struct Order;
#[derive(Serialize, Deserialize)]
pub struct Approval;

#[derive(Debug, thiserror::Error, ServiceError)]
#[error("no")]
pub struct No;

#[derive(Dependencies)]
pub struct Everything;

/// What a saga may look like.
#[kinoko::saga(name = "everything", version = 3, timeout = "10m", input = Order)]
impl Everything {
    #[kinoko::step(compensate = none)]
    fn look(&self) -> u8 {
        1
    }

    #[step(compensate = undo_unit, retry(max = 2, backoff = "1s..1m", jitter = false), timeout = "5s")]
    async fn unit(&self, _order: &Order) -> Result<(), CallError<No>> {
        Ok(())
    }

    async fn undo_unit(&self, _: Outcome<()>) -> Result<(), CallError<No>> {
        Ok(())
    }

    #[step(compensate = undo_alias, when = wanted)]
    fn alias(&self, look: &u8) -> Result<u16, No> {
        Ok(u16::from(*look))
    }

    fn wanted(&self, order: &Order, look: &u8) -> bool {
        let _ = order;
        *look > 0
    }

    fn undo_alias(&self, look: &u8, alias: u16, order: &Order) -> kinoko::Result<()> {
        let _ = (look, alias, order);
        Ok(())
    }

    #[step(compensate = undo_list)]
    async fn list(&self, alias: Option<&u16>) -> kinoko::Result<Vec<u16>> {
        Ok(alias.into_iter().copied().collect())
    }

    async fn undo_list(&self, list: Outcome<Vec<u16>>) -> Result<(), Verdict> {
        match list {
            Outcome::Done(list) => drop(list),
            Outcome::Unknown(key) => drop::<StepKey>(key),
        }
        Ok(())
    }

    #[wait(signal = "approve", timeout = "24h")]
    async fn approved(&self, _approval: Approval, list: &Vec<u16>) -> usize {
        list.len()
    }

    #[step(when = never)]
    fn last(&self) -> bool {
        true
    }

    fn never(&self) -> bool {
        false
    }
}

#[derive(Dependencies)]
pub struct Host {
    #[dependency(events = true)]
    everything: Saga<Everything>,
}

#[service(name = "host")]
impl Host {
    #[rpc]
    async fn run(&self) -> Result<Option<bool>, kinoko::saga::SagaError> {
        let handle: SagaHandle<Everything> = self.everything.handle("17");
        handle.await
    }
}

fn main() {
    let info = Everything::SAGA;
    assert_eq!((info.name, info.version, info.doc), ("everything", 3, "What a saga may look like."));
    let pivot: Vec<_> = info.steps.iter().filter(|step| step.pivot).map(|step| step.name).collect();
    assert_eq!(pivot, ["approved"]);
    assert_eq!(info.steps[1].retry.max, 2);
}

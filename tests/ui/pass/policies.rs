#![deny(warnings)]
#![allow(dead_code)]

use kinoko::{prelude::*, resilience::Policy};

#[derive(Debug, thiserror::Error, ServiceError)]
pub enum GatewayError {
    #[error("declined")]
    Declined,
    #[error(transparent)]
    #[fault(forward)]
    Refused(#[from] kinoko::resilience::Refused),
}

#[event(source = "orders")]
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub struct Placed {
    order: u64,
}

#[derive(Dependencies)]
pub struct Payments {
    #[dependency(name = "gateway", timeout = "2s", retry = 3, breaker)]
    gateway: Policy,
}

#[service(name = "payments")]
impl Payments {
    /// Above `#[rpc]`, below it, and between others.
    #[policy(self.gateway)]
    #[rpc]
    async fn above(&self, #[inject] cx: WorkerContext, order: u64, #[default(1)] mut times: u32) -> Result<u64, GatewayError> {
        times += 1;
        let _ = cx;
        if order == 0 {
            return Err(GatewayError::Declined);
        }
        Ok(order * u64::from(times))
    }

    #[rpc]
    #[policy(gateway)]
    #[http(POST, "/payments")]
    async fn below(&self, order: u64) -> Result<u64, GatewayError> {
        self.above_again(&order).await?;
        Ok(order)
    }

    #[event_handler(Placed)]
    #[policy(retry = 2)]
    async fn on_placed(&self, placed: Placed) -> Result<(), GatewayError> {
        let Placed { order } = placed;
        let _ = order;
        Ok(())
    }

    #[timer(every = "10s")]
    #[policy(timeout = "1s")]
    async fn sweep(&self) -> kinoko::Result<()> {
        Ok(())
    }

    #[kinoko::policy(bulkhead = 3, fallback = Self::later)]
    async fn above_again(&self, order: &u64) -> Result<u64, GatewayError> {
        Ok(*order)
    }

    async fn later(
        &self,
        order: &u64,
        _: kinoko::resilience::PolicyError<GatewayError>,
    ) -> Result<u64, GatewayError> {
        Ok(*order)
    }

    #[policy(rate_limit = "10/s", timeout = TIMEOUT)]
    async fn generic<'a, T, const N: usize>(&'a self, values: [T; N], of: &'a T) -> Result<&'a T, GatewayError>
    where
        T: Send,
    {
        let _ = values;
        Ok(of)
    }
}

const TIMEOUT: &str = "2s";

mod elsewhere {
    use super::GatewayError;

    pub trait Gateway {
        fn pay(&self, order: u64) -> impl Future<Output = Result<u64, GatewayError>> + Send;
    }
}

impl elsewhere::Gateway for Payments {
    #[policy(self.gateway)]
    async fn pay(&self, order: u64) -> Result<u64, GatewayError> {
        Ok(order)
    }
}

#[derive(Dependencies)]
struct Publish;

#[saga(name = "publish")]
impl Publish {
    #[step]
    #[policy(name = "submit", timeout = "2s", breaker)]
    async fn submit(&self, text: &String) -> kinoko::Result<usize> {
        Ok(text.len())
    }
}

fn spawned(payments: std::sync::Arc<Payments>) -> impl Future<Output = ()> + Send + 'static {
    async move {
        let _ = payments.generic([1, 2], &3).await;
    }
}

fn main() {}

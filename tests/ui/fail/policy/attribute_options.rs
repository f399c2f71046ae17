use kinoko::{prelude::*, resilience::Policy};

#[derive(Debug, thiserror::Error, ServiceError)]
enum GatewayError {
    #[error(transparent)]
    #[fault(forward)]
    Refused(#[from] kinoko::resilience::Refused),
}

struct Shop {
    gateway: Policy,
}

impl Shop {
    #[policy]
    async fn nothing(&self) -> Result<(), GatewayError> {
        Ok(())
    }

    #[policy(name = "only")]
    async fn only_a_name(&self) -> Result<(), GatewayError> {
        Ok(())
    }

    #[policy(self.gateway, timeout = "2s")]
    async fn of_the_field(&self) -> Result<(), GatewayError> {
        Ok(())
    }

    #[policy(timeout = "2 parsecs", breaker(failure_rate = 50.0), breakr, retry = 3)]
    async fn values(&self) -> Result<(), GatewayError> {
        Ok(())
    }

    #[policy(name = "a b", breaker = "yes", retry())]
    async fn forms(&self) -> Result<(), GatewayError> {
        Ok(())
    }

    #[policy(timeout = "1s", timeout = "2s")]
    async fn twice(&self) -> Result<(), GatewayError> {
        Ok(())
    }

    #[policy(timeout = "1s", fallback = "later", classify = 3)]
    async fn no_paths(&self) -> Result<(), GatewayError> {
        Ok(())
    }

    #[policy(self.gateway)]
    async fn no_self() -> Result<(), GatewayError> {
        Ok(())
    }
}

#[policy(gateway)]
async fn a_function() -> Result<(), GatewayError> {
    Ok(())
}

fn main() {}

use kinoko::prelude::*;

#[derive(Debug, thiserror::Error, ServiceError)]
enum GatewayError {
    #[error(transparent)]
    #[fault(forward)]
    Refused(#[from] kinoko::resilience::Refused),
}

#[policy(timeout = "2s")]
struct NoFunction;

struct Shop;

impl Shop {
    #[policy(timeout = "2s")]
    fn not_async(&self) -> Result<(), GatewayError> {
        Ok(())
    }

    #[policy(timeout = "2s")]
    async fn exclusive(&mut self) -> Result<(), GatewayError> {
        Ok(())
    }

    #[policy(timeout = "2s")]
    async fn consuming(self) -> Result<(), GatewayError> {
        Ok(())
    }

    #[policy(timeout = "2s")]
    async fn returns_nothing(&self) {}

    #[policy(timeout = "2s")]
    async fn cannot_fail(&self) -> Option<String> {
        None
    }

    #[policy(timeout = "2s")]
    async fn hidden(&self) -> Result<impl Send, GatewayError> {
        Ok(())
    }

    #[policy(retry = 3)]
    async fn changes(&self, count: &mut u32) -> Result<(), GatewayError> {
        *count += 1;
        Ok(())
    }
}

trait Gateway {
    #[policy(timeout = "2s")]
    async fn pay(&self) -> Result<(), GatewayError>;
}

fn main() {}

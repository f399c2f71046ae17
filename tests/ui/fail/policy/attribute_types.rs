use kinoko::{
    prelude::*,
    resilience::{Class, Policy, PolicyError},
};

#[derive(Debug, thiserror::Error, ServiceError)]
enum GatewayError {
    #[error(transparent)]
    #[fault(forward)]
    Refused(#[from] kinoko::resilience::Refused),
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum NoRoom {
    #[error("declined")]
    Declined,
}

struct Foreign;

impl From<kinoko::resilience::Refused> for Foreign {
    fn from(_: kinoko::resilience::Refused) -> Self {
        Self
    }
}

struct Order;
type Plain = Order;

struct Shop {
    gateway: Policy,
    name: String,
}

fn judge(_: &str) -> Class {
    Class::ANSWER
}

impl Shop {
    #[policy(self.gateway)]
    async fn no_room(&self) -> Result<(), NoRoom> {
        Err(NoRoom::Declined)
    }

    #[policy(timeout = "2s")]
    async fn says_nothing(&self) -> Result<(), Foreign> {
        Ok(())
    }

    #[policy(timeout = "2s", classify = judge)]
    async fn judged(&self) -> Result<(), Foreign> {
        Ok(())
    }

    #[policy(timeout = "2s")]
    async fn no_result(&self) -> Plain {
        Order
    }

    #[policy(retry = 3)]
    async fn repeated(&self, order: Order, _count: u32) -> Result<(), GatewayError> {
        let _ = order;
        Ok(())
    }

    #[policy(self.name)]
    async fn no_policy(&self) -> Result<(), GatewayError> {
        Ok(())
    }

    #[policy(self.gatewy)]
    async fn no_field(&self) -> Result<(), GatewayError> {
        Ok(())
    }

    #[policy(retry(maximum = 3))]
    async fn no_part(&self) -> Result<(), GatewayError> {
        Ok(())
    }

    #[policy(timeout = "2s")]
    async fn wrong_body(&self) -> Result<u32, GatewayError> {
        "text"
    }
}

impl Shop {
    #[policy(timeout = "2s", fallback = missing)]
    async fn no_fallback(&self, count: u32) -> Result<u32, GatewayError> {
        Ok(count)
    }

    #[policy(timeout = "2s", fallback = without_the_error)]
    async fn told_nothing(&self, count: u32) -> Result<u32, GatewayError> {
        Ok(count)
    }

    async fn without_the_error(&self, count: u32) -> Result<u32, GatewayError> {
        Ok(count)
    }

    #[policy(timeout = "2s", fallback = other_parameters)]
    async fn told_else(&self, count: u32) -> Result<u32, GatewayError> {
        Ok(count)
    }

    async fn other_parameters(&self, count: &str, _: PolicyError<GatewayError>) -> Result<u32, GatewayError> {
        Ok(count.len() as u32)
    }

    #[policy(timeout = "2s", fallback = other_type)]
    async fn answered_else(&self, count: u32) -> Result<u32, GatewayError> {
        Ok(count)
    }

    async fn other_type(&self, _: u32, _: PolicyError<GatewayError>) -> Result<String, GatewayError> {
        Ok(String::new())
    }

    #[policy(timeout = "2s", fallback = at_once)]
    async fn answered_at_once(&self, count: u32) -> Result<u32, GatewayError> {
        Ok(count)
    }

    fn at_once(&self, count: u32, _: PolicyError<GatewayError>) -> Result<u32, GatewayError> {
        Ok(count)
    }
}

fn main() {}

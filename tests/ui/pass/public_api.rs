//! What a library that shares its contract exports is documented, and its lints are on.
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, clippy::all, clippy::pedantic)]
#![allow(clippy::unused_async, clippy::unused_self, reason = "short methods")]
#![deny(rust_2018_idioms, single_use_lifetimes, unused_qualifications, unused_lifetimes, let_underscore_drop)]
#![forbid(unsafe_code)]

/// A shared crate's content.
pub mod shared {
    use kinoko::prelude::*;
    use serde::{Deserialize, Serialize};

    /// An article.
    #[derive(Debug, Clone, Serialize, Deserialize)]
    pub struct Sku(pub String);

    /// What can go wrong.
    #[derive(Debug, thiserror::Error, ServiceError)]
    pub enum StockError {
        /// Too little.
        #[error("only {left} left")]
        #[fault(http = 409)]
        OutOfStock {
            /// How many there are.
            left: u32,
        },
    }

    /// The stock.
    #[contract(name = "stock")]
    pub trait Stock {
        /// How many are left.
        ///
        /// # Errors
        ///
        /// When there are none.
        async fn left(&self, sku: Sku) -> Result<u32, StockError>;

        /// An old way to ask.
        #[deprecated(note = "use `left`")]
        async fn count(&self, sku: &Sku) -> u32;
    }

    /// The service.
    #[derive(Debug, Dependencies)]
    pub struct Store {
        /// Another store.
        pub other: StockClient,
    }

    #[service(contract = Stock)]
    impl Store {
        /// How many are left.
        ///
        /// # Errors
        ///
        /// When there are none.
        #[rpc(expected(OutOfStock))]
        pub async fn left(&self, sku: Sku) -> Result<u32, StockError> {
            let _: &StockClient = &self.other;
            if sku.0.is_empty() { Err(StockError::OutOfStock { left: 0 }) } else { Ok(1) }
        }

        /// An old way to ask.
        #[rpc]
        pub async fn count(&self, sku: &Sku) -> u32 {
            tokio::task::yield_now().await;
            sku.0.len().try_into().unwrap_or_default()
        }
    }

    /// A service with its own client.
    #[derive(Debug, Dependencies)]
    pub struct Clock;

    #[service(name = "clock")]
    impl Clock {
        /// Says so.
        #[rpc]
        #[must_use]
        pub fn now(&self) -> String {
            "now".to_owned()
        }
    }
}

#[kinoko::main]
async fn main() {
    use kinoko::prelude::*;

    let clock = shared::ClockClient::from_service(shared::Clock);
    assert_eq!(clock.now().await.unwrap(), "now");
    let app = App::new().service::<shared::Store>().start().await.unwrap();
    assert_eq!(app.client::<shared::StockClient>().left(shared::Sku("A".to_owned())).await.unwrap(), 1);
    app.stop().await.unwrap();
}

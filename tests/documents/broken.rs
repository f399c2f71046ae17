//! A service that does not keep to its own document.

use kinoko::prelude::*;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// A number, as it says; and a text, as it is.
#[derive(JsonSchema)]
#[schemars(transparent)]
pub(crate) struct Price(#[allow(dead_code, reason = "only its type is told of")] u32);

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("cheap")
    }
}

#[derive(Dependencies)]
pub(crate) struct Broken;

#[service(name = "broken")]
impl Broken {
    #[http(GET, "/price")]
    fn price(&self) -> Price {
        Price(7)
    }
}

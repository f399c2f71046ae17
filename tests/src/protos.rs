//! What the tests' `.proto` files say, for tests of more than one kind.
#![allow(missing_docs, reason = "it says what its file says")]

/// `protos/stock.proto`
pub mod stock {
    kinoko::proto!("kinoko.tests.v1");
}

//! What fires a service's methods. One file per kind; each knows its own business only.

mod rpc;

pub(crate) use self::rpc::{RpcEntrypoint, RpcSettings};

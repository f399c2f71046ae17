//! Server-sent events, one a second.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::Response,
};
use futures_util::stream::unfold;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Interval, MissedTickBehavior, interval},
};

use super::{Live, snapshot};
use crate::http::ops::Phase;

/// How often whoever looks sees something new.
const EVERY: Duration = Duration::from_secs(1);

struct Looking {
    live: Arc<Live>,
    ticks: Interval,
    _place: OwnedSemaphorePermit,
}

/// Goes on until who looks goes away, or the program has stopped.
pub(super) fn stream(live: Arc<Live>, place: OwnedSemaphorePermit) -> Response {
    let mut ticks = interval(EVERY);
    // Who is slow to read gets fewer.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looking = Looking { live, ticks, _place: place };
    let events = unfold(looking, |mut looking| async move {
        let mut phase = looking.live.watched.phases();
        tokio::select! {
            biased;
            // An error is the end of the program.
            _ = phase.wait_for(|phase| *phase == Phase::Stopped) => return None,
            _ = looking.ticks.tick() => {}
        }
        // JSON has no line breaks of its own.
        let event = format!("data: {}\n\n", snapshot::take(&looking.live).await);
        Some((Ok::<_, Infallible>(event), looking))
    });
    let mut response = Response::new(Body::from_stream(events));
    for (name, value) in [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

use std::{future::Future, time::Duration};

use tokio::time::{Instant, sleep, timeout};

/// What a healthy broker does at once, on a machine that is busy with something else.
const SOON: Duration = Duration::from_secs(20);

/// Asks again and again until the answer is `Some`, for things that nobody tells about.
///
/// # Panics
///
/// When it takes longer than `limit`.
#[track_caller]
pub fn eventually<T, F: Future<Output = Option<T>>>(
    limit: Duration,
    what: &str,
    mut ask: impl FnMut() -> F,
) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let started = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(started.elapsed() < limit, "{caller}: not within {limit:?}: {what}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// Waits for something that must come soon.
///
/// # Panics
///
/// When it does not.
#[track_caller]
pub fn soon<T>(what: &str, future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move { timeout(SOON, future).await.unwrap_or_else(|_| panic!("{caller}: not within {SOON:?}: {what}")) }
}

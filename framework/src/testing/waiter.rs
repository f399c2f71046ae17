use std::{fmt, future::IntoFuture, time::Duration};

use futures_util::future::BoxFuture;
use tokio::{sync::mpsc::UnboundedReceiver, time::Instant};

use super::{Fired, rig::Rig};
use crate::{Error, Result};

/// How long a waiter waits where it is not told.
const WITHIN: Duration = Duration::from_secs(5);
/// How many other workers the message of a waiter in vain lists.
const LISTED: usize = 10;

/// Waits until an entrypoint has fired and its worker is over, hooks and teardown included. Nameko's `entrypoint_waiter`.
///
/// From [`RunningTestApp::waiter`](super::RunningTestApp::waiter). It sees every worker that ends after it was made, so it is made
/// *before* what fires the entrypoint, and awaited afterwards. A worker that fails, panics or is dropped counts as well.
///
/// # Errors
///
/// It awaits to [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a name that no service of the test has, and to
/// [`ErrorKind::Internal`](crate::ErrorKind::Internal) when the time is over, with what fired meanwhile.
///
/// # Cancel safety
///
/// Dropped early, nothing is left.
#[must_use = "a waiter waits when it is awaited"]
pub struct Waiter {
    listening: Result<UnboundedReceiver<Fired>>,
    service: String,
    entrypoint: String,
    accept: Option<Accept>,
    within: Duration,
}

type Accept = Box<dyn FnMut(&Fired) -> bool + Send>;

impl Waiter {
    pub(super) fn new(rig: &Rig, service: &str, entrypoint: &str) -> Self {
        Self {
            listening: rig.check_entrypoint(service, entrypoint).map(|()| rig.watch.listen()),
            service: service.to_owned(),
            entrypoint: entrypoint.to_owned(),
            accept: None,
            within: WITHIN,
        }
    }

    /// Waits for a worker of which this is true.
    pub fn when(mut self, accept: impl FnMut(&Fired) -> bool + Send + 'static) -> Self {
        self.accept = Some(Box::new(accept));
        self
    }

    /// How long it waits, from when it is awaited. Default: 5 s of tokio's clock, which pass at once where it is paused and nothing
    /// else is to do.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = limit;
        self
    }

    /// Waits for this many workers, in the order in which they end.
    pub fn times(self, count: usize) -> Waiters {
        Waiters { waiter: self, count }
    }

    async fn wait(self, count: usize) -> Result<Vec<Fired>> {
        let Self { listening, service, entrypoint, mut accept, within } = self;
        let mut listening = listening?;
        // `within` may be `Duration::MAX`.
        let until = Instant::now().checked_add(within);
        let (mut found, mut others) = (Vec::new(), Vec::new());
        while found.len() < count {
            let next = match until {
                Some(until) => tokio::time::timeout_at(until, listening.recv()).await,
                None => Ok(listening.recv().await),
            };
            let Ok(Some(fired)) = next else {
                let accepts = if accept.is_some() { " with what `when` accepts" } else { "" };
                let until =
                    if next.is_ok() { "until the services ended".to_owned() } else { format!("within {within:?}") };
                let (times, meanwhile) = (times(found.len(), count), meanwhile(&others));
                return Err(Error::msg(format!(
                    "`{service}.{entrypoint}` fired {times}{accepts} {until}; {meanwhile}"
                )));
            };
            let wanted = fired.service() == service
                && fired.entrypoint() == entrypoint
                && accept.as_mut().is_none_or(|accept| accept(&fired));
            if wanted { found.push(fired) } else { others.push(fired) }
        }
        Ok(found)
    }
}

fn times(found: usize, count: usize) -> String {
    if count == 1 { "not once".to_owned() } else { format!("{found} times instead of {count}") }
}

fn meanwhile(others: &[Fired]) -> String {
    if others.is_empty() {
        return "nothing else fired meanwhile".to_owned();
    }
    let mut lines: Vec<_> = others.iter().take(LISTED).map(|fired| format!("`{fired}`")).collect();
    if others.len() > LISTED {
        lines.push(format!("and {} more", others.len() - LISTED));
    }
    format!("meanwhile: {}", lines.join(", "))
}

impl IntoFuture for Waiter {
    type Output = Result<Fired>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { Ok(self.wait(1).await?.remove(0)) })
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiter")
            .field("service", &self.service)
            .field("entrypoint", &self.entrypoint)
            .field("within", &self.within)
            .finish_non_exhaustive()
    }
}

/// A [`Waiter`] for several workers of one entrypoint: awaits to all of them. Errors are the waiter's.
#[derive(Debug)]
#[must_use = "a waiter waits when it is awaited"]
pub struct Waiters {
    waiter: Waiter,
    count: usize,
}

impl IntoFuture for Waiters {
    type Output = Result<Vec<Fired>>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.waiter.wait(self.count))
    }
}

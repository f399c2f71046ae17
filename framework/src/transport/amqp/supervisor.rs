use std::{pin::pin, sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    time::{self, Instant},
};
use tracing::{debug, info, warn};

use super::{
    brokers::Round,
    failure::{ConnectFailure, closed},
    link::{Link, LinkEvents, Sight},
    shared::{Phase, STABLE_AFTER, Shared, absent_backoff, backoff},
    topology,
};
use crate::{Error, ErrorKind, Result, transport::ConnectionState};

/// How long whoever opens the transport waits to hear of the first attempt. A peer that says nothing is as good as away.
const FIRST_LIMIT: Duration = Duration::from_secs(3);

/// Keeps the connection for as long as the transport lives.
///
/// Tells `first` how the first attempt went: an outage is no error, it only goes on trying; a refusal is one, and ends it.
pub(super) async fn run(shared: Arc<Shared>, first: oneshot::Sender<Result<()>>) {
    let mut supervisor = Supervisor { first: Some(first), ever_connected: false, attempt: 0, reason: String::new() };
    let closing = shared.closing.clone();
    let mut round = Round::default();
    let patience = Instant::now() + FIRST_LIMIT;
    loop {
        let opened = {
            let mut opening = pin!(Link::open(shared.brokers.current(), &shared.connection_name));
            loop {
                tokio::select! {
                    biased;
                    () = closing.cancelled() => break None,
                    opened = &mut opening => break Some(opened),
                    () = time::sleep_until(patience), if supervisor.first.is_some() => supervisor.tell_first(Ok(())),
                }
            }
        };
        let Some(opened) = opened else { break };
        let mut delay: fn(u32) -> Duration = backoff;
        let failure = match opened {
            Ok((link, events)) => {
                round = Round::default();
                supervisor.serve(&shared, link, events).await;
                if closing.is_cancelled() {
                    break;
                }
                shared.brokers.advance();
                None
            }
            Err(failure) => {
                debug!(address = %shared.brokers.current(), ?failure, "no connection to this broker");
                let Some(failure) = round.failed(&shared.brokers, failure) else { continue };
                Some(failure)
            }
        };
        match failure {
            Some(ConnectFailure::Refused(text)) if !supervisor.ever_connected => {
                supervisor.refuse(&shared, text);
                closing.cancelled().await;
                break;
            }
            Some(ConnectFailure::Absent(reason)) => {
                delay = absent_backoff;
                supervisor.away(&shared, reason);
            }
            Some(ConnectFailure::Refused(reason) | ConnectFailure::Unavailable(reason)) => {
                supervisor.away(&shared, reason);
            }
            None => {}
        }
        tokio::select! {
            () = closing.cancelled() => break,
            () = time::sleep(delay(supervisor.attempt)) => supervisor.attempt += 1,
        }
    }
    shared.phase.send_replace(Phase::Closed);
    shared.state.send_replace(ConnectionState::Closed);
    supervisor.tell_first(Err(closed()));
}

/// Declares everything again from time to time, so that what somebody deleted comes back. Never ends by itself.
async fn keep_declared(shared: &Shared, link: &Link) {
    let longest = shared.redeclare_interval;
    if longest.is_zero() {
        std::future::pending::<()>().await;
    }
    let mut last = String::new();
    loop {
        // Many programs must not do it in step.
        time::sleep(longest.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        let _round = shared.registry.round().await;
        if let Err(failure) = topology::declare(&shared.registry, link, &shared.registry.standing()).await {
            let text = failure.to_string();
            if text != last {
                warn!(address = %shared.brokers.current(), %failure, "could not declare everything again, goes on without");
            }
            last = text;
        }
    }
}

struct Supervisor {
    first: Option<oneshot::Sender<Result<()>>>,
    ever_connected: bool,
    attempt: u32,
    reason: String,
}

impl Supervisor {
    /// Runs one link from its first declaration to its end.
    async fn serve(&mut self, shared: &Arc<Shared>, link: Arc<Link>, events: LinkEvents) {
        let started = Instant::now();
        let watching = async {
            let mut lost = String::new();
            let see = |sight| match sight {
                Sight::Blocked(reason) => {
                    warn!(address = %shared.brokers.current(), reason, "the broker takes no publishes, they wait");
                    shared.state.send_replace(ConnectionState::Blocked(reason));
                }
                Sight::Unblocked => {
                    info!(address = %shared.brokers.current(), "the broker takes publishes again");
                    shared.state.send_replace(ConnectionState::Connected);
                }
                Sight::Lost(reason) => lost = reason,
            };
            link.watch(events, see).await;
            lost
        };
        let starting = async {
            // Before the link is shown to anybody, so that no consumer meets a queue that is not there yet.
            self.declare(shared, &link).await;
            self.up(shared, &link);
            keep_declared(shared, &link).await;
        };
        let settling = link.clone();
        shared.tasks.spawn(async move { settling.replies().settle(&settling).await });
        tokio::select! {
            biased;
            () = shared.closing.cancelled() => {
                shared.phase.send_replace(Phase::Closed);
                link.close().await;
            }
            reason = watching => {
                // Nobody takes this link any more, then everybody who has it hears of its end.
                shared.phase.send_replace(Phase::Down);
                link.kill();
                if started.elapsed() > STABLE_AFTER {
                    self.attempt = 0;
                }
                self.away(shared, reason);
            }
            () = starting => {}
        }
    }

    async fn declare(&self, shared: &Shared, link: &Link) {
        match topology::declare(&shared.registry, link, &shared.registry.all()).await {
            Err(failure) if !failure.is_lost() => {
                warn!(address = %shared.brokers.current(), %failure, "could not declare everything again, goes on without");
            }
            _ => {}
        }
    }

    fn up(&mut self, shared: &Shared, link: &Arc<Link>) {
        info!(address = %shared.brokers.current(), "connected to the broker");
        self.ever_connected = true;
        self.reason.clear();
        shared.state.send_replace(ConnectionState::Connected);
        shared.phase.send_replace(Phase::Up(link.clone()));
        self.tell_first(Ok(()));
    }

    fn away(&mut self, shared: &Shared, reason: String) {
        // An outage is worth one line, not one for each attempt.
        if reason == self.reason {
            debug!(address = %shared.brokers, reason, "the broker is still away");
        } else if self.ever_connected {
            warn!(address = %shared.brokers, reason, "lost the broker, connecting again until it is back");
        } else {
            warn!(address = %shared.brokers, reason, "cannot reach the broker, trying again until it is there");
        }
        shared.state.send_replace(ConnectionState::Connecting(reason.clone()));
        self.reason = reason;
        self.tell_first(Ok(()));
    }

    fn refuse(&mut self, shared: &Shared, text: String) {
        shared.state.send_replace(ConnectionState::Refused(text.clone()));
        shared.phase.send_replace(Phase::Refused(text.as_str().into()));
        self.tell_first(Err(Error::new(ErrorKind::Refused, text)));
    }

    fn tell_first(&mut self, outcome: Result<()>) {
        if let Some(first) = self.first.take() {
            // Whoever opened the transport may have given up.
            let _ = first.send(outcome);
        }
    }
}

use std::{
    collections::VecDeque,
    future::Future,
    task::{Context, Poll},
};

use futures_util::FutureExt;
use tokio::{sync::oneshot, time::Instant};
use tracing::debug;

use crate::{Error, ErrorKind, Result, protocol::Name, transport::Published};

/// What tells one publish from another where a message comes back: AMQP's return carries no tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) message_id: Name,
    pub(super) exchange: Name,
    pub(super) routing_key: Name,
}

/// The broker's word on one publish.
pub(super) struct Confirm {
    pub(super) taken: bool,
    /// A message that came back with it. lapin hands it to whichever confirm resolves next, so it may be another publish's.
    pub(super) carried: Option<Identity>,
}

/// The publishes of one channel that have no verdict yet, oldest first.
///
/// What makes the verdicts exact: all are looked at before anything is told, and then they are told from the front only. A return precedes
/// its own confirm, and every confirm takes one waiting return, so that it has shown by the time its own publish is at the front.
pub(super) struct Window<F>(VecDeque<Outstanding<F>>);

struct Outstanding<F> {
    identity: Identity,
    confirm: F,
    outcome: Option<bool>,
    returned: bool,
    since: Instant,
    tell: oneshot::Sender<Result<Published>>,
}

impl<F: Future<Output = Result<Confirm, E>> + Unpin, E> Window<F> {
    pub(super) fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Since when the oldest waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.0.front().map(|front| front.since)
    }

    /// Takes a publish. It is looked at with the next [`poll`](Self::poll), which must follow at once: that begins it.
    pub(super) fn push(&mut self, identity: Identity, confirm: F, tell: oneshot::Sender<Result<Published>>) {
        let since = Instant::now();
        self.0.push_back(Outstanding { identity, confirm, outcome: None, returned: false, since, tell });
    }

    /// Looks at every publish, then tells the verdicts that are sure. Returns how many.
    ///
    /// # Errors
    ///
    /// The channel's end, which ends every publish on it.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Result<usize, E> {
        let mut carried = Vec::new();
        let mut failure = None;
        for publish in self.0.iter_mut().filter(|publish| publish.outcome.is_none()) {
            match publish.confirm.poll_unpin(cx) {
                Poll::Ready(Ok(confirm)) => {
                    publish.outcome = Some(confirm.taken);
                    carried.extend(confirm.carried);
                }
                Poll::Ready(Err(error)) => {
                    failure = Some(error);
                    break;
                }
                Poll::Pending => {}
            }
        }
        for identity in carried {
            match self.0.iter_mut().find(|publish| !publish.returned && publish.identity == identity) {
                Some(publish) => publish.returned = true,
                None => debug!(message_id = &*identity.message_id, "a message came back that was not published here"),
            }
        }
        match failure {
            Some(error) => Err(error),
            None => Ok(self.tell()),
        }
    }

    fn tell(&mut self) -> usize {
        let before = self.0.len();
        while let Some(taken) = self.0.front().and_then(|front| front.outcome) {
            let Some(publish) = self.0.pop_front() else { break };
            let verdict = if taken {
                Ok(Published { routed: !publish.returned })
            } else {
                Err(Error::new(
                    ErrorKind::Rejected,
                    "a queue did not take the message: it is full, or the broker failed",
                ))
            };
            // Who asked may have given up.
            let _ = publish.tell.send(verdict);
        }
        before - self.0.len()
    }

    /// Ends every publish without a verdict. Returns how many.
    pub(super) fn give_up(&mut self, reason: &str) -> usize {
        let count = self.0.len();
        for publish in self.0.drain(..) {
            let text = format!("whether the broker has the message is unknown: {reason}");
            let _ = publish.tell.send(Err(Error::new(ErrorKind::OutcomeUnknown, text)));
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::noop_waker_ref;

    use super::*;

    type Confirms = oneshot::Receiver<Confirm>;
    type Verdict = oneshot::Receiver<Result<Published>>;

    fn identity(number: usize) -> Identity {
        Identity { message_id: number.to_string().into(), exchange: "e".into(), routing_key: "k".into() }
    }

    /// So many publishes, what resolves each, and where its verdict is told.
    fn window(count: usize) -> (Window<Confirms>, Vec<Option<oneshot::Sender<Confirm>>>, Vec<Verdict>) {
        let mut window = Window::new();
        let (mut resolvers, mut verdicts) = (Vec::new(), Vec::new());
        for number in 0..count {
            let ((resolver, confirm), (tell, verdict)) = (oneshot::channel(), oneshot::channel());
            window.push(identity(number), confirm, tell);
            resolvers.push(Some(resolver));
            verdicts.push(verdict);
        }
        (window, resolvers, verdicts)
    }

    fn poll(window: &mut Window<Confirms>) -> usize {
        window.poll(&mut Context::from_waker(noop_waker_ref())).unwrap()
    }

    /// As lapin does: the confirms of one `multiple` resolve in any order, and each takes one waiting return, whosever it is.
    #[test]
    fn verdicts_are_exact_in_whatever_order_confirms_resolve() {
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let count = random.usize(1..40);
            let (mut window, mut resolvers, mut verdicts) = window(count);
            let unroutable: Vec<bool> = (0..count).map(|_| random.u8(0..5) == 0).collect();
            let refused: Vec<bool> = (0..count).map(|number| !unroutable[number] && random.u8(0..5) == 0).collect();
            let (mut next, mut waiting) = (0, VecDeque::new());
            while next < count {
                let end = random.usize(next + 1..=count);
                waiting.extend((next..end).filter(|number| unroutable[*number]));
                let mut batch: Vec<_> = (next..end).collect();
                random.shuffle(&mut batch);
                for number in batch {
                    let carried = waiting.pop_front().map(identity);
                    let confirm = Confirm { taken: !refused[number], carried };
                    assert!(resolvers[number].take().unwrap().send(confirm).is_ok());
                    // lapin's thread is in the middle of a batch when ours looks.
                    if random.bool() {
                        poll(&mut window);
                    }
                }
                next = end;
            }
            poll(&mut window);
            assert_eq!(window.len(), 0);
            for (number, verdict) in verdicts.iter_mut().enumerate() {
                let told = verdict.try_recv().unwrap().map(|published| published.routed).map_err(|error| error.kind());
                let expected = if refused[number] { Err(ErrorKind::Rejected) } else { Ok(!unroutable[number]) };
                assert_eq!(told, expected, "seed {seed}, publish {number}");
            }
        }
    }

    #[test]
    fn what_has_no_verdict_at_the_end_of_its_channel_is_unknown() {
        let (mut window, mut resolvers, mut verdicts) = window(3);
        drop(resolvers[1].take());
        assert!(window.poll(&mut Context::from_waker(noop_waker_ref())).is_err());
        assert_eq!(window.give_up("it ended"), 3);
        for verdict in &mut verdicts {
            let error = verdict.try_recv().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutcomeUnknown);
            assert_eq!(error.to_string(), "whether the broker has the message is unknown: it ended");
        }
    }
}

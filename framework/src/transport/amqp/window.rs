use std::{
    collections::VecDeque,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use futures_util::{future::BoxFuture, task::AtomicWaker};
use tokio::{sync::oneshot, time::Instant};
use tracing::debug;

use crate::{
    Result,
    protocol::{Message, Name},
    transport::Published,
};

/// How many publishes may wait for their confirm at once. Sharing a confirm channel between tasks credits verdicts to the wrong publish;
/// pipelined from one task in this depth it is as fast as a pool of channels.
const MAX_OUTSTANDING: usize = 256;

/// A message to publish, and who asked for it.
pub(super) struct Publish {
    pub(super) message: Message,
    pub(super) tell: oneshot::Sender<Result<Published>>,
    /// It was published before and is known to be nowhere.
    pub(super) again: bool,
}

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

/// What became of a publish, for sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Taken,
    Refused,
    /// It leads to no queue, and is nowhere.
    Returned,
}

/// The publishes of one channel that have no verdict yet, oldest first.
///
/// What makes the verdicts exact: all that have changed are looked at before anything is told, and then they are told from the front only.
/// A return precedes its own confirm, and every confirm takes one waiting return, so that it has shown by the time its own publish
/// is at the front. lapin resolves one confirm after the other and wakes each before the next one, so none that was resolved
/// before one that is seen is missing among those that have woken.
pub(super) struct Window<E> {
    outstanding: VecDeque<Outstanding<E>>,
    /// The bell of the oldest; the others have the next ones, in a circle.
    first: usize,
    bells: Vec<(Arc<Bell>, Waker)>,
    woken: Arc<Woken>,
    looking: Vec<usize>,
}

struct Outstanding<E> {
    publish: Publish,
    confirm: BoxFuture<'static, Result<Confirm, E>>,
    outcome: Option<bool>,
    returned: bool,
    since: Instant,
}

/// Whose confirm has changed since it was looked at.
#[derive(Default)]
struct Woken {
    bells: Mutex<Vec<usize>>,
    task: AtomicWaker,
}

struct Bell {
    number: usize,
    rung: AtomicBool,
    woken: Arc<Woken>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            self.woken.bells.lock().unwrap_or_else(PoisonError::into_inner).push(self.number);
            self.woken.task.wake();
        }
    }
}

impl<E> Window<E> {
    pub(super) fn new() -> Self {
        let woken = Arc::new(Woken::default());
        let bells = (0..MAX_OUTSTANDING).map(|number| {
            let bell = Arc::new(Bell { number, rung: AtomicBool::new(false), woken: woken.clone() });
            (bell.clone(), Waker::from(bell))
        });
        Self {
            outstanding: VecDeque::with_capacity(MAX_OUTSTANDING),
            first: 0,
            bells: bells.collect(),
            woken,
            looking: Vec::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.outstanding.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.outstanding.len() == MAX_OUTSTANDING
    }

    /// Since when the oldest waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.outstanding.front().map(|front| front.since)
    }

    /// The oldest.
    pub(super) fn oldest_message(&self) -> Option<&Message> {
        self.outstanding.front().map(|front| &front.publish.message)
    }

    /// Takes a publish and begins it; there must be room.
    ///
    /// # Errors
    ///
    /// As [`look`](Self::look).
    pub(super) fn push(
        &mut self,
        publish: Publish,
        confirm: impl Future<Output = Result<Confirm, E>> + Send + 'static,
    ) -> Result<(), E> {
        let (since, confirm) = (Instant::now(), Box::pin(confirm));
        self.outstanding.push_back(Outstanding { publish, confirm, outcome: None, returned: false, since });
        self.look_at(self.outstanding.len() - 1)
    }

    /// Looks at all that have changed. From now on [`pop`](Self::pop) tells what is sure.
    ///
    /// # Errors
    ///
    /// The channel's end, which ends every publish on it.
    pub(super) fn look(&mut self, cx: &mut Context<'_>) -> Result<(), E> {
        self.woken.task.register(cx.waker());
        loop {
            let mut looking = std::mem::take(&mut self.looking);
            std::mem::swap(&mut looking, &mut self.woken.bells.lock().unwrap_or_else(PoisonError::into_inner));
            if looking.is_empty() {
                self.looking = looking;
                return Ok(());
            }
            for number in looking.drain(..) {
                self.bells[number].0.rung.store(false, Ordering::Release);
                self.look_at((number + MAX_OUTSTANDING - self.first) % MAX_OUTSTANDING)?;
            }
            self.looking = looking;
        }
    }

    fn look_at(&mut self, place: usize) -> Result<(), E> {
        // It may have its verdict by now.
        let Some(publish) = self.outstanding.get_mut(place).filter(|publish| publish.outcome.is_none()) else {
            return Ok(());
        };
        let waker = &self.bells[(self.first + place) % MAX_OUTSTANDING].1;
        if let Poll::Ready(confirm) = publish.confirm.as_mut().poll(&mut Context::from_waker(waker)) {
            let Confirm { taken, carried } = confirm?;
            publish.outcome = Some(taken);
            if let Some(identity) = carried {
                self.returned(&identity);
            }
        }
        Ok(())
    }

    fn returned(&mut self, identity: &Identity) {
        match self.outstanding.iter_mut().find(|other| !other.returned && identity.is_of(&other.publish.message)) {
            Some(other) => other.returned = true,
            None => debug!(message_id = &*identity.message_id, "a message came back that was not published here"),
        }
    }

    /// The oldest, if its verdict is sure after a [`look`](Self::look), and since when it waited.
    pub(super) fn pop(&mut self) -> Option<(Publish, Verdict, Instant)> {
        let taken = self.outstanding.front()?.outcome?;
        let Outstanding { publish, returned, since, .. } = self.outstanding.pop_front()?;
        self.first = (self.first + 1) % MAX_OUTSTANDING;
        let verdict = match (taken, returned) {
            (false, _) => Verdict::Refused,
            (true, true) => Verdict::Returned,
            (true, false) => Verdict::Taken,
        };
        Some((publish, verdict, since))
    }

    /// All that have no verdict, oldest first, and since when they waited: their channel has ended.
    pub(super) fn into_outstanding(self) -> Vec<(Publish, Instant)> {
        self.outstanding.into_iter().map(|outstanding| (outstanding.publish, outstanding.since)).collect()
    }
}

impl Publish {
    /// Whoever asked may have given up.
    pub(super) fn tell(self, verdict: Result<Published>) {
        let _ = self.tell.send(verdict);
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.tell.is_closed()
    }
}

impl Identity {
    fn is_of(&self, message: &Message) -> bool {
        message.properties.message_id.as_ref() == Some(&self.message_id)
            && message.exchange == self.exchange
            && message.routing_key == self.routing_key
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, task::noop_waker_ref};

    use super::*;

    type Confirmed = oneshot::Sender<Confirm>;

    fn identity(number: usize) -> Identity {
        Identity { message_id: number.to_string().into(), exchange: "e".into(), routing_key: "k".into() }
    }

    fn publish(number: usize) -> Publish {
        let Identity { message_id, exchange, routing_key } = identity(number);
        let mut message = Message { exchange, routing_key, ..Message::default() };
        message.properties.message_id = Some(message_id);
        Publish { message, tell: oneshot::channel().0, again: false }
    }

    fn push(window: &mut Window<oneshot::error::RecvError>, number: usize) -> Confirmed {
        let (confirmed, confirm) = oneshot::channel();
        window.push(publish(number), confirm).unwrap();
        confirmed
    }

    fn look(window: &mut Window<oneshot::error::RecvError>, verdicts: &mut Vec<(usize, Verdict)>) {
        window.look(&mut Context::from_waker(noop_waker_ref())).unwrap();
        while let Some((publish, verdict, _)) = window.pop() {
            verdicts.push((publish.message.properties.message_id.unwrap().parse().unwrap(), verdict));
        }
    }

    /// As lapin does: the confirms of one `multiple` resolve in any order, and each takes one waiting return, whosever it is.
    #[test]
    fn verdicts_are_exact_in_whatever_order_confirms_resolve() {
        for seed in 0..500 {
            let mut random = fastrand::Rng::with_seed(seed);
            let (mut window, mut told, mut published) = (Window::new(), Vec::new(), 0);
            let (mut outstanding, mut expected) = (VecDeque::new(), Vec::new());
            // More than it has room for, so that its places are used again and again.
            while published < 3 * MAX_OUTSTANDING {
                while !window.is_full() && random.u8(0..40) > 0 {
                    let (unroutable, refused) = (random.u8(0..5) == 0, random.u8(0..5) == 0);
                    let verdict = match (unroutable, refused) {
                        (true, _) => Verdict::Returned,
                        (false, true) => Verdict::Refused,
                        (false, false) => Verdict::Taken,
                    };
                    outstanding.push_back((published, push(&mut window, published), verdict));
                    expected.push((published, verdict));
                    published += 1;
                }
                let mut batch: Vec<_> = outstanding.drain(..random.usize(0..=outstanding.len())).collect();
                let returned = |(number, _, verdict): &(usize, Confirmed, Verdict)| {
                    (*verdict == Verdict::Returned).then_some(*number)
                };
                let mut waiting: VecDeque<usize> = batch.iter().filter_map(returned).collect();
                random.shuffle(&mut batch);
                for (_, confirmed, verdict) in batch {
                    let carried = waiting.pop_front().map(identity);
                    let confirm = Confirm { taken: verdict != Verdict::Refused, carried };
                    assert!(confirmed.send(confirm).is_ok());
                    // lapin's thread is in the middle of a batch when ours looks.
                    if random.u8(0..4) == 0 {
                        look(&mut window, &mut told);
                    }
                }
                look(&mut window, &mut told);
            }
            expected.truncate(told.len());
            assert_eq!(told.len(), published - outstanding.len(), "seed {seed}");
            assert_eq!(told, expected, "seed {seed}");
        }
    }

    #[tokio::test]
    async fn only_what_has_changed_is_looked_at() {
        let mut window = Window::<()>::new();
        let looks = Arc::new(Mutex::new(vec![0; 3]));
        let mut confirmed = Vec::new();
        for number in 0..3 {
            let (sender, mut receiver) = oneshot::channel::<Confirm>();
            let looks = looks.clone();
            let confirm = std::future::poll_fn(move |cx| {
                looks.lock().unwrap()[number] += 1;
                receiver.poll_unpin(cx).map_err(drop)
            });
            window.push(publish(number), confirm).unwrap();
            confirmed.push(sender);
        }
        let last = confirmed.pop().unwrap();
        #[allow(clippy::disallowed_methods, reason = "the test joins it")]
        let looking = tokio::spawn(async move {
            std::future::poll_fn(|cx| {
                window.look(cx).unwrap();
                // Whoever looks is woken by any of them.
                if window.outstanding[2].outcome.is_some() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
            assert!(window.pop().is_none(), "the oldest has no verdict yet");
            window
        });
        tokio::task::yield_now().await;
        assert!(last.send(Confirm { taken: true, carried: None }).is_ok());
        let window = looking.await.unwrap();
        assert_eq!(*looks.lock().unwrap(), [1, 1, 2]);
        assert_eq!(window.into_outstanding().len(), 3);
    }

    #[test]
    fn the_end_of_the_channel_leaves_the_outstanding_ones() {
        let mut window = Window::new();
        let mut confirmed: Vec<_> = (0..3).map(|number| push(&mut window, number)).collect();
        drop(confirmed.remove(1));
        assert!(window.look(&mut Context::from_waker(noop_waker_ref())).is_err());
        let left = window.into_outstanding();
        assert_eq!(left.iter().map(|(publish, _)| identity_of(publish)).collect::<Vec<_>>(), ["0", "1", "2"]);
    }

    fn identity_of(publish: &Publish) -> &str {
        publish.message.properties.message_id.as_deref().unwrap()
    }
}

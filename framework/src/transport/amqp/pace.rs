use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

/// Counts requests for [`Pace`], as cheaply as can be.
#[derive(Default)]
pub(super) struct Activity {
    requests: AtomicU64,
    parked: AtomicBool,
    wake: Notify,
}

impl Activity {
    /// Called when a request is written, so that every return comes after the looking began.
    pub(super) fn note(&self) {
        self.requests.fetch_add(1, Ordering::SeqCst);
        if self.parked.load(Ordering::SeqCst) && self.parked.swap(false, Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    pub(super) async fn resumed(&self) {
        self.wake.notified().await;
    }
}

/// How often to look for requests that came back: an idle client must cost nothing, a young call deserves a quick verdict.
pub(super) struct Pace {
    seen: u64,
    began: Instant,
    latest: Instant,
    parked: bool,
}

impl Pace {
    const QUICK: Duration = Duration::from_millis(1);
    const STEADY: Duration = Duration::from_millis(5);
    const SLOW: Duration = Duration::from_millis(250);
    /// Looking is quick for so long after a pause.
    const QUICK_FOR: Duration = Duration::from_millis(20);
    /// Looking is steady while a request is younger than this.
    const YOUNG: Duration = Duration::from_secs(1);
    /// A broker that throttles its publishers answers late, but not later than this.
    const OLD: Duration = Duration::from_secs(30);

    pub(super) fn new(activity: &Activity) -> Self {
        activity.parked.store(false, Ordering::SeqCst);
        let now = Instant::now();
        Self { seen: 0, began: now, latest: now, parked: false }
    }

    pub(super) fn is_parked(&self) -> bool {
        self.parked
    }

    /// When to look next; `None` when there is nothing to wait for until the next request.
    pub(super) fn next_look(&mut self, activity: &Activity) -> Option<Duration> {
        let now = Instant::now();
        let requests = activity.requests.load(Ordering::SeqCst);
        if requests != self.seen {
            self.seen = requests;
            if now - self.latest > Self::QUICK_FOR {
                self.began = now;
            }
            self.latest = now;
        }
        let age = now - self.latest;
        if now - self.began < Self::QUICK_FOR {
            return Some(Self::QUICK);
        }
        if age < Self::YOUNG {
            return Some(Self::STEADY);
        }
        // From here on a request wakes the task, so that it is not found by the slow look only.
        activity.parked.store(true, Ordering::SeqCst);
        if activity.requests.load(Ordering::SeqCst) != self.seen {
            activity.parked.store(false, Ordering::SeqCst);
            return Some(Self::QUICK);
        }
        if age < Self::OLD {
            return Some(Self::SLOW);
        }
        self.parked = true;
        None
    }

    pub(super) fn resume(&mut self) -> Duration {
        let now = Instant::now();
        (self.began, self.latest, self.parked) = (now, now, false);
        Self::QUICK
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn looks_become_rare_and_end() {
        let activity = Activity::default();
        let mut pace = Pace::new(&activity);
        activity.note();
        let (mut looks, began) = (Vec::new(), Instant::now());
        while let Some(next) = pace.next_look(&activity) {
            if looks.last() != Some(&next) {
                looks.push(next);
            }
            advance(next).await;
        }
        assert_eq!(looks, [Pace::QUICK, Pace::STEADY, Pace::SLOW]);
        assert!(began.elapsed() < Pace::OLD + Duration::from_secs(1));
        assert!(pace.is_parked() && activity.resumed().now_or_never().is_none());
        activity.note();
        assert!(activity.resumed().now_or_never().is_some());
        assert_eq!(pace.resume(), Pace::QUICK);
        assert_eq!(pace.next_look(&activity), Some(Pace::QUICK));
    }
}

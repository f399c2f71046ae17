use std::time::Duration;

use tokio::time::Instant;

/// Limits how often something is done: so many at once, then one each time.
#[derive(Debug)]
pub(super) struct Pace {
    most: u32,
    each: Duration,
    /// When all of it is there again.
    full_at: Instant,
}

impl Pace {
    pub(super) fn new(most: u32, each: Duration) -> Self {
        Self { most, each, full_at: Instant::now() }
    }

    /// Takes one, if one is there.
    pub(super) fn take(&mut self) -> bool {
        let now = Instant::now();
        let full_at = self.full_at.max(now) + self.each;
        let is_there = full_at <= now + self.each * self.most;
        if is_there {
            self.full_at = full_at;
        }
        is_there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn so_many_at_once_then_one_each_time() {
        let mut pace = Pace::new(3, Duration::from_secs(1));
        let took = |pace: &mut Pace| (0..10).filter(|_| pace.take()).count();
        assert_eq!(took(&mut pace), 3);
        tokio::time::advance(Duration::from_millis(2_500)).await;
        assert_eq!(took(&mut pace), 2);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(took(&mut pace), 3);
    }
}

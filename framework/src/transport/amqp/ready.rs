use tokio::sync::oneshot;

use crate::Result;

/// Tells the one who asked for something how it went, once. Its task owns it, so that it ends with the task, however that ends.
pub(super) struct Ready(Option<oneshot::Sender<Result<()>>>);

impl Ready {
    pub(super) fn new() -> (Self, oneshot::Receiver<Result<()>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }

    pub(super) fn tell(&mut self, outcome: Result<()>) {
        if let Some(sender) = self.0.take() {
            // Whoever asked may have given up, and cancels then.
            let _ = sender.send(outcome);
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.0.is_some()
    }
}

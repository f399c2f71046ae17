use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::{Error, Result};

/// Tells the one who asked for something how it went, once.
pub(super) struct Ready(Mutex<Option<oneshot::Sender<Result<(), Error>>>>);

impl Ready {
    pub(super) fn new() -> (Self, oneshot::Receiver<Result<()>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Mutex::new(Some(sender))), receiver)
    }

    pub(super) fn tell(&self, outcome: Result<()>) {
        if let Some(sender) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // Whoever asked may have given up, and cancels then.
            let _ = sender.send(outcome);
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

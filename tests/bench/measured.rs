//! What every measured program has: an ear for the driver's commands, and a count of its allocations.

use std::io::{BufRead, Write};

use alloc_tracker::{Operation, ProcessSpan, Session};
use tokio::sync::mpsc;

use crate::Failed;

/// The driver's commands, a line each.
pub(crate) fn commands() -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Answers the driver.
pub(crate) fn say(line: &str) -> Result<(), Failed> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

/// Counts the allocations of all threads, from look to look.
pub(crate) struct Allocations {
    session: Session,
    operation: Operation,
    span: Option<ProcessSpan>,
    told: u64,
}

impl Allocations {
    pub(crate) fn new() -> Self {
        let session = Session::new().no_stdout().no_file();
        let operation = session.operation("all");
        let span = Some(operation.measure_process());
        Self { session, operation, span, told: 0 }
    }

    pub(crate) fn since(&mut self) -> u64 {
        // A span counts when it ends.
        drop(self.span.take().map(|span| span.iterations(1)));
        let total = self.session.to_report().operations().map(|(_, all)| all.total_allocations_count()).sum();
        self.span = Some(self.operation.measure_process());
        total - std::mem::replace(&mut self.told, total)
    }
}

impl Drop for Allocations {
    fn drop(&mut self) {
        drop(self.span.take().map(|span| span.iterations(1)));
    }
}

//! Where the processes of a proof kill themselves: planned by the test for one saga, looked up by its programs.

use std::{
    fs::File,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// A place at which a process kills itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Point {
    /// Before a transition is written to the log. They are counted from 0, which is the start.
    Before(u64),
    /// While it is being written.
    Sent(u64),
    /// It is written, and whoever wrote it has not been told.
    Written(u64),
    /// Whoever wrote it has gone on.
    After(u64),
    /// The call of this effect is on its way.
    Asked(String),
    /// The effect is there, and its answer is not in the log.
    Answered(String),
    /// The same, but the process stands still for longer than its lease instead of ending.
    Stalled(String),
    /// In the process of the effects: the row is written, and not committed.
    Worked(String),
    /// There: it is committed, and not answered.
    Committed(String),
}

/// What a saga of the proof is started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The saga's id.
    pub id: String,
    /// The effect that is refused, if one is.
    pub refused: Option<String>,
    /// Where its processes end. Each of these happens once, one that is there twice happens twice.
    pub kills: Vec<Point>,
}

/// How long one who stands still does so.
const STALL: Duration = Duration::from_millis(2500);

/// A folder where each kill that has happened is a file: whoever comes to the same place again goes on.
#[derive(Debug, Clone)]
pub struct Kills(PathBuf);

impl Kills {
    /// Those that are kept in this folder.
    pub fn of(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// Whether the last of an order's kills has happened.
    pub fn last_happened(&self, order: &Order) -> bool {
        order.kills.len().checked_sub(1).is_none_or(|last| self.file(order, last).exists())
    }

    /// Whether this is still to happen.
    pub fn is_due(&self, order: &Order, point: &Point) -> bool {
        let mut kills = order.kills.iter().enumerate();
        kills.any(|(index, kill)| kill == point && !self.file(order, index).exists())
    }

    /// Ends the process, if the order says so.
    ///
    /// # Panics
    ///
    /// When the folder cannot be written to.
    pub fn at(&self, order: &Order, point: &Point) {
        for (index, _) in order.kills.iter().enumerate().filter(|(_, kill)| *kill == point) {
            match File::create_new(self.file(order, index)) {
                Ok(_) if matches!(point, Point::Stalled(_)) => return thread::sleep(STALL),
                Ok(_) => kill(),
                Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}"),
            }
        }
    }

    fn file(&self, order: &Order, index: usize) -> PathBuf {
        Path::new(&self.0).join(format!("{}.{index}", order.id))
    }
}

/// Nothing runs after it: the thread waits, and with it a runtime that has no other.
fn kill() -> ! {
    let _ = Command::new("kill").arg("-KILL").arg(std::process::id().to_string()).status();
    loop {
        thread::park();
    }
}

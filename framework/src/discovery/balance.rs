use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use super::followed::Entry;
use crate::dependency::OptionValue;

/// Which instance the next call goes to, of those that are not [set aside](super::Pick::failed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Balance {
    /// One after the other. Default; `"round_robin"` as an option.
    #[default]
    RoundRobin,
    /// The one that has the fewest calls of this program under way; `"least_loaded"`.
    LeastLoaded,
    /// The first one, in the order in which they were found: Consul puts the nearest first; `"nearest"`.
    Nearest,
}

impl OptionValue<Balance> for &str {
    fn convert(self) -> Result<Balance, String> {
        match self {
            "round_robin" => Ok(Balance::RoundRobin),
            "least_loaded" => Ok(Balance::LeastLoaded),
            "nearest" => Ok(Balance::Nearest),
            other => Err(format!("`{other}` is no balance: write \"round_robin\", \"least_loaded\" or \"nearest\"")),
        }
    }
}

impl Balance {
    /// Chooses. `None` for no entries at all.
    pub(super) fn choose<'a>(self, entries: &'a [Entry], next: &AtomicUsize) -> Option<&'a Entry> {
        let now = Instant::now();
        let usable: Vec<_> = entries.iter().filter(|entry| !entry.slot.is_aside(now)).collect();
        // One that failed a moment ago is better than none.
        let usable = if usable.is_empty() { entries.iter().collect() } else { usable };
        if usable.is_empty() {
            return None;
        }
        if self == Self::Nearest {
            return usable.first().copied();
        }
        let turn = next.fetch_add(1, Ordering::Relaxed) % usable.len();
        match self {
            // Among equals they take turns: the first one found would have all of a quiet program's calls.
            Self::LeastLoaded => {
                (0..usable.len()).map(|step| usable[(turn + step) % usable.len()]).min_by_key(|entry| entry.slot.load())
            }
            _ => Some(usable[turn]),
        }
    }
}

//! What kinoko reads and says while it runs, and its macros while they expand, alike: durations, rates, and "did you mean".

mod duration;
mod nearest;
mod pairs;

pub use duration::{MAX_DELAY, parse_duration};
pub use nearest::nearest;
pub use pairs::{parse_backoff, parse_rate};

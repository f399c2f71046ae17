//! What kinoko reads and says while it runs, and its macros while they expand, alike: durations, and "did you mean".

mod duration;
mod nearest;

pub use duration::{MAX_DELAY, parse_duration};
pub use nearest::nearest;

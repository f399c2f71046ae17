//! How the parts of a policy are written in attributes: `retry = 3`, `bulkhead = 20`, `rate_limit = "100/s"`, `window = "10s"`.

use super::{Backoff, Bulkhead, RateLimit, Retry, Window};
use crate::dependency::OptionValue;

impl OptionValue<Option<Retry>> for u32 {
    fn convert(self) -> Result<Option<Retry>, String> {
        Ok(Some(Retry::times(self)))
    }
}

impl OptionValue<Option<Bulkhead>> for usize {
    fn convert(self) -> Result<Option<Bulkhead>, String> {
        Ok(Some(Bulkhead { concurrency: self, ..Bulkhead::default() }))
    }
}

impl OptionValue<Option<RateLimit>> for &str {
    fn convert(self) -> Result<Option<RateLimit>, String> {
        RateLimit::parse(self).map(Some)
    }
}

impl OptionValue<Backoff> for &str {
    fn convert(self) -> Result<Backoff, String> {
        Backoff::parse(self)
    }
}

impl OptionValue<Window> for &str {
    fn convert(self) -> Result<Window, String> {
        Window::parse(self)
    }
}

impl OptionValue<Window> for u32 {
    fn convert(self) -> Result<Window, String> {
        Ok(Window::Calls(self))
    }
}

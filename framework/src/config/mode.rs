use super::Settings;
use crate::Result;

/// Who a program runs for: its programmer, or everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The docs page can send calls and events.
    Development,
    /// It cannot.
    Production,
}

impl Mode {
    /// The setting `mode`. Default: development where the broker is in this process, since nobody else can be meant by what is sent.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for another word.
    pub(crate) fn read(settings: &Settings, is_in_memory: bool) -> Result<Self> {
        match settings.get::<String>("mode")?.as_deref() {
            None if is_in_memory => Ok(Self::Development),
            None | Some("production") => Ok(Self::Production),
            Some("development") => Ok(Self::Development),
            Some(other) => Err(settings.refuse("mode", format!("`{other}` is neither `development` nor `production`"))),
        }
    }

    #[cfg(feature = "http")]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Production => "production",
        }
    }
}

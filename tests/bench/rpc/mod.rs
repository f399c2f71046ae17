//! Calls and their replies.

pub(crate) mod amqp;
mod framework;
pub(crate) mod guarded;
pub(crate) mod memory;
mod peer;
mod plain;
pub(crate) mod soak;
pub(crate) mod start;
mod twin;

pub(crate) use self::peer::{Role, run};

/// The way through the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// kinoko's, between kinoko peers: the default exchange both ways.
    Short,
    /// Nameko's: the topic exchange both ways.
    Nameko,
}

impl Path {
    fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Nameko => "nameko",
        }
    }

    /// The command to make calls this way.
    fn run(self) -> String {
        format!("run {}", self.name())
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "short" => Ok(Self::Short),
            "nameko" => Ok(Self::Nameko),
            other => Err(format!("no path is called `{other}`: write `short` or `nameko`")),
        }
    }
}

//! Events: dispatched, handled, and both at once.

mod amqp;
mod framework;
mod memory;
mod peer;
mod twin;

pub(crate) use self::peer::{Role, run};
use crate::{Failed, options::Options, stats::Goals};

/// What kind of queue keeps the events until they are handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueueType {
    /// What Nameko declares.
    Classic,
    /// What kinoko declares.
    Quorum,
}

impl QueueType {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "classic" => Ok(Self::Classic),
            "quorum" => Ok(Self::Quorum),
            other => Err(format!("no queue is called `{other}`: write `classic` or `quorum`")),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
        }
    }
}

pub(crate) fn compare(options: &Options, goals: &mut Goals) -> Result<(), Failed> {
    if options.memory {
        memory::compare(options)?;
    }
    if options.amqp {
        amqp::compare(options, goals)?;
    }
    Ok(())
}

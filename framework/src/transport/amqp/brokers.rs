use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use super::{failure::ConnectFailure, uri::Address};
use crate::{Result, transport::TransportOptions};

/// The brokers that may be connected to, and which of them it is at the moment.
pub(super) struct Brokers {
    list: Vec<Address>,
    current: AtomicUsize,
}

impl Brokers {
    pub(super) fn parse(urls: &str, options: &TransportOptions) -> Result<Self> {
        Ok(Self { list: Address::parse_list(urls, options)?, current: AtomicUsize::new(0) })
    }

    pub(super) fn all(&self) -> &[Address] {
        &self.list
    }

    pub(super) fn current(&self) -> &Address {
        &self.list[self.current.load(Ordering::Relaxed)]
    }

    /// The next one's turn: whether a connection failed or was lost, this one is the least likely to be there now.
    pub(super) fn advance(&self) {
        let next = (self.current.load(Ordering::Relaxed) + 1) % self.list.len();
        self.current.store(next, Ordering::Relaxed);
    }
}

/// All of them, for lines about whichever comes back first.
impl fmt::Display for Brokers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.list.iter().enumerate() {
            write!(f, "{}{address}", if index == 0 { "" } else { ";" })?;
        }
        Ok(())
    }
}

/// How the brokers failed since the last connection, or the last pause.
#[derive(Default)]
pub(super) struct Round(Vec<ConnectFailure>);

impl Round {
    /// Takes a failure of the current broker, and the next one's turn. What they come to, once all have failed.
    pub(super) fn failed(&mut self, brokers: &Brokers, failure: ConnectFailure) -> Option<ConnectFailure> {
        self.0.push(match brokers.all() {
            [_] => failure,
            _ => failure.at(brokers.current()),
        });
        brokers.advance();
        if self.0.len() < brokers.all().len() {
            return None;
        }
        std::mem::take(&mut self.0).into_iter().reduce(ConnectFailure::and)
    }
}

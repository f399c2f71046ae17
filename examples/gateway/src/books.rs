use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

/// What the gateway knows of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The shop's name for what is paid for.
    pub order: u64,
    /// How much.
    pub cents: u64,
    /// What became of it.
    pub state: State,
}

/// What became of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The money is there.
    Charged,
    /// The bank said no.
    Declined,
    /// The money was given back, or was never taken and never will be.
    Refunded,
}

/// All charges, by their key.
#[derive(Debug, Default)]
pub(crate) struct Books {
    charges: HashMap<String, Charge>,
    /// How often money was taken, and given back.
    pub(crate) charged: u64,
    pub(crate) refunded: u64,
    pub(crate) orders: BTreeSet<u64>,
}

impl Books {
    /// Charges once under a key. `None`: the key stands for something else.
    pub(crate) fn charge(&mut self, key: String, order: u64, cents: u64, limit_cents: u64) -> Option<Charge> {
        if let Some(known) = self.charges.get(&key) {
            let same = known.state == State::Refunded || (known.order, known.cents) == (order, cents);
            return same.then(|| known.clone());
        }
        let state = if cents > limit_cents { State::Declined } else { State::Charged };
        if state == State::Charged {
            self.charged += 1;
            self.orders.insert(order);
        }
        let charge = Charge { order, cents, state };
        self.charges.insert(key, charge.clone());
        Some(charge)
    }

    /// Gives back what was charged under a key, once.
    pub(crate) fn refund(&mut self, key: String) -> Charge {
        let charge = self.charges.entry(key).or_insert(Charge { order: 0, cents: 0, state: State::Refunded });
        if charge.state == State::Charged {
            charge.state = State::Refunded;
            self.refunded += 1;
        }
        charge.clone()
    }

    pub(crate) fn get(&self, key: &str) -> Option<Charge> {
        self.charges.get(key).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 1_000;

    #[test]
    fn a_key_is_charged_once_and_stands_for_one_thing() {
        let mut books = Books::default();
        let first = books.charge("a".into(), 1, 500, LIMIT).unwrap();
        assert_eq!(first.state, State::Charged);
        assert_eq!(books.charge("a".into(), 1, 500, LIMIT), Some(first));
        assert_eq!(books.charge("a".into(), 1, 501, LIMIT), None);
        assert_eq!(books.charge("a".into(), 2, 500, LIMIT), None);
        assert_eq!(books.charge("b".into(), 2, 1_001, LIMIT).unwrap().state, State::Declined);
        // What was declined stays so, whatever the bank would say now.
        assert_eq!(books.charge("b".into(), 2, 1_001, 2_000).unwrap().state, State::Declined);
        assert_eq!(books.charged, 1);
    }

    #[test]
    fn what_was_given_back_is_never_charged_again() {
        let mut books = Books::default();
        books.charge("a".into(), 1, 500, LIMIT).unwrap();
        for key in ["a", "a", "never-charged"] {
            assert_eq!(books.refund(key.into()).state, State::Refunded);
        }
        for key in ["a", "never-charged"] {
            assert_eq!(books.charge(key.into(), 1, 500, LIMIT).unwrap().state, State::Refunded);
        }
        assert_eq!((books.charged, books.refunded), (1, 1));
    }
}

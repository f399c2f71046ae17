//! Tokens that were verified before, by their bytes, so that a caller who comes again costs no signature. Bounded.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};

use super::Identity;

/// When it is full, so many of eight go.
const EIGHTHS: usize = 1;

pub(super) struct Cache {
    capacity: usize,
    verified: RwLock<Verified>,
}

#[derive(Default)]
struct Verified {
    /// Of the keys that they were verified with: with others nothing counts any more.
    generation: u64,
    tokens: HashMap<Box<str>, Identity>,
}

impl Cache {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, verified: RwLock::default() }
    }

    /// Whom a token speaks for. It may be over by now.
    ///
    /// The map's hash has a random key, so the time of a look-up tells nothing of what is in it.
    pub(super) fn get(&self, token: &str, generation: u64) -> Option<Identity> {
        let verified = self.verified.read().unwrap_or_else(PoisonError::into_inner);
        if verified.generation != generation {
            return None;
        }
        verified.tokens.get(token).cloned()
    }

    pub(super) fn put(&self, token: &str, generation: u64, identity: &Identity, now: u64) {
        if self.capacity == 0 {
            return;
        }
        let mut verified = self.verified.write().unwrap_or_else(PoisonError::into_inner);
        if verified.generation < generation {
            *verified = Verified { generation, tokens: HashMap::new() };
        } else if verified.generation > generation {
            return;
        }
        if verified.tokens.len() >= self.capacity {
            verified.tokens.retain(|_, identity| identity.expires_at_secs().is_none_or(|exp| exp > now));
        }
        if verified.tokens.len() >= self.capacity {
            // In the map's order, which is random.
            let gone = (self.capacity * EIGHTHS / 8).max(1);
            let gone: Vec<_> = verified.tokens.keys().take(gone).cloned().collect();
            for token in gone {
                verified.tokens.remove(&token);
            }
        }
        verified.tokens.insert(token.into(), identity.clone());
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.verified.read().unwrap().tokens.len()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::{super::identity::Facts, *};

    fn identity(exp: u64) -> Identity {
        Identity::new(Facts { expires_at: Some(exp), ..Facts::default() }, Map::new())
    }

    #[test]
    fn it_never_holds_more_than_it_may() {
        let cache = Cache::new(16);
        for number in 0..1_000 {
            cache.put(&number.to_string(), 1, &identity(10), 1);
            assert!(cache.len() <= 16);
            assert!(cache.get(&number.to_string(), 1).is_some(), "the newest is in it");
        }
        // What is over goes first.
        cache.put("new", 1, &identity(100), 50);
        assert!(cache.len() <= 15);
    }

    #[test]
    fn with_other_keys_nothing_of_it_counts() {
        let cache = Cache::new(4);
        cache.put("a", 1, &identity(10), 1);
        assert!(cache.get("a", 2).is_none());
        cache.put("b", 2, &identity(10), 1);
        assert!(cache.get("b", 2).is_some() && cache.get("a", 2).is_none());
        cache.put("a", 1, &identity(10), 1);
        assert!(cache.get("a", 2).is_none(), "what was verified with the old ones comes too late");
    }

    #[test]
    fn without_room_it_keeps_nothing() {
        let cache = Cache::new(0);
        cache.put("a", 1, &identity(10), 1);
        assert_eq!(cache.len(), 0);
    }
}

use std::fmt;

use serde::{Deserialize, Serialize};

/// An article's number in the shop's stock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sku(pub String);

impl Sku {
    /// The article with this number.
    pub fn new(number: impl Into<String>) -> Self {
        Self(number.into())
    }
}

impl fmt::Display for Sku {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// So many of an article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The article.
    pub sku: Sku,
    /// How many.
    pub quantity: u32,
}

impl Line {
    /// So many of an article.
    pub fn new(sku: &str, quantity: u32) -> Self {
        Self { sku: Sku::new(sku), quantity }
    }
}

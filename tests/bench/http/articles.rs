//! What is asked for, alike on both sides.

use garde::Validate;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Validate)]
pub(crate) struct NewArticle {
    #[garde(length(min = 1, max = 32))]
    pub(crate) sku: String,
    #[garde(length(min = 1, max = 200))]
    pub(crate) name: String,
    #[garde(range(min = 1, max = 100_000_000))]
    pub(crate) price_cents: u32,
    #[garde(length(max = 10), inner(length(min = 1, max = 30)))]
    pub(crate) tags: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Article {
    pub(crate) id: u32,
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) price_cents: u32,
    pub(crate) tags: Vec<String>,
}

/// The article of a number.
pub(crate) fn article(id: u32) -> Article {
    Article {
        id,
        sku: "TEAPOT".to_owned(),
        name: "A teapot for two".to_owned(),
        price_cents: 2_900,
        tags: vec!["tea".to_owned(), "kitchen".to_owned()],
    }
}

/// What becomes of a new one.
pub(crate) fn added(new: NewArticle) -> Article {
    let NewArticle { sku, name, price_cents, tags } = new;
    Article { id: 7, sku, name, price_cents, tags }
}

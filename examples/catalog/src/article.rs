//! What callers send and get. The rules beside the fields are checked before a method runs, and stand in the documents.

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An article that is to be sold.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(deny_unknown_fields)]
#[schemars(example = NewArticle::example())]
pub struct NewArticle {
    /// The article's code: capitals, digits and dashes.
    #[garde(pattern("^[A-Z0-9][A-Z0-9-]{0,31}$"))]
    pub sku: String,
    /// What it is called.
    #[garde(length(chars, min = 1, max = 200))]
    pub name: String,
    /// Where it is listed.
    #[garde(skip)]
    pub category: Category,
    /// What it costs, in cents.
    #[garde(range(min = 1, max = 100_000_000))]
    pub price_cents: u32,
    /// Words to find it by.
    #[serde(default)]
    #[garde(length(max = 10), inner(length(chars, min = 1, max = 30)))]
    pub tags: Vec<String>,
}

impl NewArticle {
    fn example() -> Self {
        Self {
            sku: "TEAPOT".into(),
            name: "A teapot for two".into(),
            category: Category::Kitchen,
            price_cents: 2_900,
            tags: vec!["tea".into()],
        }
    }
}

/// Where an article is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// For cooking and eating.
    Kitchen,
    /// For sitting and sleeping.
    Furniture,
    /// For the rest.
    Other,
}

impl Category {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kitchen => "kitchen",
            Self::Furniture => "furniture",
            Self::Other => "other",
        }
    }

    /// From what is stored.
    pub fn of_stored(text: &str) -> Self {
        match text {
            "kitchen" => Self::Kitchen,
            "furniture" => Self::Furniture,
            _ => Self::Other,
        }
    }
}

/// An article in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Article {
    /// The article's code.
    pub sku: String,
    /// What it is called.
    pub name: String,
    /// Where it is listed.
    pub category: Category,
    /// What it costs, in cents.
    pub price_cents: u32,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// Which articles a list has.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Filter {
    /// Only those whose name or tags contain this.
    #[garde(length(chars, max = 100))]
    pub search: Option<String>,
    /// Only those listed here.
    #[garde(skip)]
    pub category: Option<Category>,
    /// Only those that cost at least this, in cents.
    #[garde(skip)]
    pub min_price: Option<u32>,
    /// Only those that cost at most this, in cents.
    #[garde(skip)]
    pub max_price: Option<u32>,
    /// In which order.
    #[serde(default)]
    #[garde(skip)]
    pub sort: Sort,
    /// Which page, from 1.
    #[serde(default = "first_page")]
    #[garde(range(min = 1))]
    pub page: u32,
    /// How many articles a page has.
    #[serde(default = "per_page")]
    #[garde(range(min = 1, max = 100))]
    pub per_page: u32,
}

fn first_page() -> u32 {
    1
}

fn per_page() -> u32 {
    20
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// By code.
    #[default]
    Sku,
    /// By name.
    Name,
    /// The cheapest first.
    Price,
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The articles.
    pub items: Vec<Article>,
    /// How many there are on all pages.
    pub total: u64,
    /// Which page it is, from 1.
    pub page: u32,
    /// How many articles a page has.
    pub per_page: u32,
}

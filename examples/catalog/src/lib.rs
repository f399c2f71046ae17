//! The shop's catalog: what can be bought, over HTTP, on SQLite.

mod article;
mod service;
mod store;

pub use article::{Article, Category, Filter, NewArticle, Page, Sort};
pub use service::{CatalogError, CatalogService, CatalogServiceClient};
pub use store::Store;

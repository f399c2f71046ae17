use kinoko::{Valid, auth::Jwt, prelude::*};

use crate::{Article, Filter, NewArticle, Page, Store};

/// Why the catalog says no.
#[derive(Debug, thiserror::Error, ServiceError)]
pub enum CatalogError {
    /// There is no article of this code.
    #[error("no article {sku}")]
    #[fault(http = 404)]
    NotFound {
        /// The code that was asked for.
        sku: String,
    },
    /// There is an article of this code already.
    #[error("there is an article {sku} already")]
    #[fault(http = 409, retry = false)]
    Taken {
        /// The code that was to be added.
        sku: String,
    },
    /// The database failed: the log has more.
    #[error("the database failed: {0}")]
    #[fault(internal)]
    Store(#[from] sqlx::Error),
}

/// Sells nothing, and tells what there is to buy.
#[derive(Debug, Dependencies)]
pub struct CatalogService {
    store: Store,
    /// Looks at the tokens that the users service issues.
    #[allow(dead_code, reason = "the guards ask it")]
    jwt: Jwt,
}

impl CatalogService {
    /// The service over this store: a unit test needs no more.
    pub fn new(store: Store, jwt: Jwt) -> Self {
        Self { store, jwt }
    }
}

/// What can be bought.
#[service(name = "catalog")]
impl CatalogService {
    /// Adds an article.
    #[http(POST, "/articles", status = 201)]
    #[guard(role = "admin")]
    pub async fn add(&self, article: Valid<NewArticle>) -> Result<Article, CatalogError> {
        let added = self.store.add(&article).await?;
        let NewArticle { sku, name, category, price_cents, tags } = article.into_inner();
        if added { Ok(Article { sku, name, category, price_cents, tags }) } else { Err(CatalogError::Taken { sku }) }
    }

    /// One article.
    ///
    /// Other services ask for it by RPC.
    #[rpc]
    #[http(GET, "/articles/{sku}")]
    #[public]
    pub async fn get(
        &self,
        /// The article's code.
        sku: &str,
    ) -> Result<Article, CatalogError> {
        self.store.get(sku).await?.ok_or_else(|| CatalogError::NotFound { sku: sku.to_owned() })
    }

    /// The articles, a page at a time.
    #[http(GET, "/articles", deny_unknown_query)]
    #[public]
    pub async fn list(&self, filter: Valid<Filter>) -> Result<Page, CatalogError> {
        Ok(self.store.list(&filter).await?)
    }

    /// Takes an article out of the catalog.
    #[http(DELETE, "/articles/{sku}")]
    #[guard(role = "admin")]
    pub async fn remove(
        &self,
        /// The article's code.
        sku: &str,
    ) -> Result<(), CatalogError> {
        if self.store.remove(sku).await? { Ok(()) } else { Err(CatalogError::NotFound { sku: sku.to_owned() }) }
    }
}

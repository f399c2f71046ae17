//! A dependency provider of our own: the articles, in SQLite.

use kinoko::prelude::*;
use sqlx::{
    QueryBuilder, Row, Sqlite, SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow},
};

use crate::{Article, Category, Filter, NewArticle, Page, Sort};

/// The catalog's articles. Cheap to clone, as every dependency.
#[derive(Debug, Clone)]
pub struct Store(SqlitePool);

/// What `#[dependency(…)]` on a [`Store`] field can say.
#[derive(Debug)]
pub struct StoreOptions {
    /// The setting that names the database.
    pub key: String,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { key: "catalog.database".to_owned() }
    }
}

/// Gone at the end of the program.
const IN_MEMORY: &str = "sqlite::memory:";

impl Dependency for Store {
    type Options = StoreOptions;

    async fn setup(cx: &SetupContext, options: StoreOptions) -> kinoko::Result<Self> {
        let url = cx.settings().get::<String>(&options.key)?.unwrap_or_else(|| IN_MEMORY.to_owned());
        Ok(Self::open(&url).await?)
    }

    fn settings(options: &StoreOptions) -> Vec<kinoko::SettingInfo> {
        vec![kinoko::SettingInfo::new(options.key.clone()).default_text(IN_MEMORY)]
    }

    async fn stop(&self) -> kinoko::Result<()> {
        self.0.close().await;
        Ok(())
    }
}

impl Store {
    /// Opens a database, and makes its table where it has none.
    pub async fn open(url: &str) -> Result<Self, sqlx::Error> {
        let options: SqliteConnectOptions = url.parse()?;
        // In memory each connection would have a database of its own, so there is one, which stays.
        let connections = if url.contains(":memory:") { 1 } else { 4 };
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await?;
        sqlx::query(
            "CREATE TABLE IF NOT EXISTS article (
                sku TEXT PRIMARY KEY, name TEXT NOT NULL, category TEXT NOT NULL, price_cents INTEGER NOT NULL, tags TEXT NOT NULL
            )",
        )
        .execute(&pool)
        .await?;
        Ok(Self(pool))
    }

    /// Adds an article. `false`: there is one of its code.
    pub async fn add(&self, article: &NewArticle) -> Result<bool, sqlx::Error> {
        let added = sqlx::query("INSERT INTO article VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(&article.sku)
            .bind(&article.name)
            .bind(article.category.as_str())
            .bind(article.price_cents)
            .bind(serde_json::json!(article.tags).to_string())
            .execute(&self.0)
            .await?;
        Ok(added.rows_affected() == 1)
    }

    /// One article.
    pub async fn get(&self, sku: &str) -> Result<Option<Article>, sqlx::Error> {
        let row = sqlx::query("SELECT * FROM article WHERE sku = ?").bind(sku).fetch_optional(&self.0).await?;
        row.as_ref().map(article).transpose()
    }

    /// Takes an article out. `false`: there was none.
    pub async fn remove(&self, sku: &str) -> Result<bool, sqlx::Error> {
        let removed = sqlx::query("DELETE FROM article WHERE sku = ?").bind(sku).execute(&self.0).await?;
        Ok(removed.rows_affected() == 1)
    }

    /// One page of those that the filter lets through.
    pub async fn list(&self, filter: &Filter) -> Result<Page, sqlx::Error> {
        let mut count = QueryBuilder::new("SELECT COUNT(*) FROM article");
        narrow(&mut count, filter);
        let total: i64 = count.build_query_scalar().fetch_one(&self.0).await?;
        let mut select = QueryBuilder::new("SELECT * FROM article");
        narrow(&mut select, filter);
        select.push(match filter.sort {
            Sort::Sku => " ORDER BY sku",
            Sort::Name => " ORDER BY name, sku",
            Sort::Price => " ORDER BY price_cents, sku",
        });
        let skipped = i64::from(filter.page - 1) * i64::from(filter.per_page);
        select.push(" LIMIT ").push_bind(filter.per_page).push(" OFFSET ").push_bind(skipped);
        let rows = select.build().fetch_all(&self.0).await?;
        let items = rows.iter().map(article).collect::<Result<_, _>>()?;
        let total = u64::try_from(total).unwrap_or_default();
        Ok(Page { items, total, page: filter.page, per_page: filter.per_page })
    }
}

fn narrow(query: &mut QueryBuilder<Sqlite>, filter: &Filter) {
    query.push(" WHERE 1");
    if let Some(search) = &filter.search {
        // `instr` takes it as it is: no character of it is a wildcard.
        query.push(" AND (instr(lower(name), lower(").push_bind(search.clone());
        query.push(")) OR instr(lower(tags), lower(").push_bind(search.clone()).push(")))");
    }
    if let Some(category) = filter.category {
        query.push(" AND category = ").push_bind(category.as_str());
    }
    if let Some(least) = filter.min_price {
        query.push(" AND price_cents >= ").push_bind(least);
    }
    if let Some(most) = filter.max_price {
        query.push(" AND price_cents <= ").push_bind(most);
    }
}

fn article(row: &SqliteRow) -> Result<Article, sqlx::Error> {
    let tags: String = row.try_get("tags")?;
    Ok(Article {
        sku: row.try_get("sku")?,
        name: row.try_get("name")?,
        category: Category::of_stored(row.try_get("category")?),
        price_cents: row.try_get("price_cents")?,
        tags: serde_json::from_str(&tags).map_err(|error| sqlx::Error::Decode(error.into()))?,
    })
}

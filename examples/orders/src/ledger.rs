//! The orders, in the service's database.

use contracts::Order;
use kinoko::sql::{Migrations, Tx};
use sqlx::{Any, Executor};

use crate::NewOrder;

/// The tables of the service's database.
pub fn tables() -> Migrations {
    Migrations::new([(
        1,
        "CREATE TABLE last_order (id BIGINT NOT NULL);
         INSERT INTO last_order VALUES (0);
         CREATE TABLE customer_order (
             id BIGINT PRIMARY KEY, order_key TEXT NOT NULL UNIQUE, customer TEXT NOT NULL, lines TEXT NOT NULL, placed BOOLEAN NOT NULL
         )",
    )])
}

/// Writes an order down, as one that is not placed yet. Doing it twice gives the same order.
pub(crate) async fn write(tx: &mut Tx, new: &NewOrder) -> kinoko::Result<Order> {
    let sql = "SELECT id FROM customer_order WHERE order_key = $1";
    let known: Option<i64> = sqlx::query_scalar(sql).bind(&new.key).fetch_optional(&mut **tx).await?;
    let id = match known {
        Some(id) => id,
        None => {
            let sql = "UPDATE last_order SET id = id + 1 RETURNING id";
            let id: i64 = sqlx::query_scalar(sql).fetch_one(&mut **tx).await?;
            let sql = "INSERT INTO customer_order VALUES ($1, $2, $3, $4, FALSE)";
            let insert = sqlx::query(sql).bind(id).bind(&new.key).bind(&new.customer);
            insert.bind(serde_json::to_string(&new.lines)?).execute(&mut **tx).await?;
            id
        }
    };
    Ok(Order { id: u64::try_from(id)?, customer: new.customer.clone(), lines: new.lines.clone() })
}

/// Strikes out what was written down under a key. Doing it twice changes nothing.
pub(crate) async fn erase(db: impl Executor<'_, Database = Any>, key: &str) -> kinoko::Result<()> {
    sqlx::query("DELETE FROM customer_order WHERE order_key = $1").bind(key).execute(db).await?;
    Ok(())
}

/// An order that was placed.
pub(crate) async fn find(db: impl Executor<'_, Database = Any>, id: u64) -> kinoko::Result<Option<Order>> {
    let sql = "SELECT customer, lines FROM customer_order WHERE id = $1 AND placed";
    let row: Option<(String, String)> = sqlx::query_as(sql).bind(i64::try_from(id)?).fetch_optional(db).await?;
    let Some((customer, lines)) = row else { return Ok(None) };
    Ok(Some(Order { id, customer, lines: serde_json::from_str(&lines)? }))
}

/// An order is placed. `false`: it was before.
pub(crate) async fn place(db: impl Executor<'_, Database = Any>, id: u64) -> kinoko::Result<bool> {
    let sql = "UPDATE customer_order SET placed = TRUE WHERE id = $1 AND NOT placed";
    Ok(sqlx::query(sql).bind(i64::try_from(id)?).execute(db).await?.rows_affected() == 1)
}

/// Strikes a placed order out. `false`: there is none any more.
pub(crate) async fn cancel(db: impl Executor<'_, Database = Any>, id: u64) -> kinoko::Result<bool> {
    let sql = "DELETE FROM customer_order WHERE id = $1 AND placed";
    Ok(sqlx::query(sql).bind(i64::try_from(id)?).execute(db).await?.rows_affected() == 1)
}

/// Whether an order is written down and not placed: its saga is under way.
pub(crate) async fn is_under_way(db: impl Executor<'_, Database = Any>, id: u64) -> kinoko::Result<bool> {
    let sql = "SELECT COUNT(*) FROM customer_order WHERE id = $1 AND NOT placed";
    let rows: i64 = sqlx::query_scalar(sql).bind(i64::try_from(id)?).fetch_one(db).await?;
    Ok(rows > 0)
}

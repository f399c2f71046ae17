//! The users and their log-ins, in the service's database.

use kinoko::sql::{Migrations, Tx};
use sqlx::{Any, Executor};

use crate::Profile;

/// The tables of the service's database.
pub(crate) fn tables() -> Migrations {
    Migrations::new([(
        1,
        "CREATE TABLE shop_user (name TEXT PRIMARY KEY, password TEXT NOT NULL, roles TEXT NOT NULL);
         CREATE TABLE shop_session (id TEXT PRIMARY KEY, name TEXT NOT NULL, refresh_id TEXT NOT NULL, ended INTEGER NOT NULL)",
    )])
}

/// A user with the password's hash.
pub(crate) struct Known {
    pub(crate) profile: Profile,
    pub(crate) hash: String,
}

/// Adds a user, the first one as the admin. `None`: the name is taken.
pub(crate) async fn add(tx: &mut Tx, name: &str, hash: &str) -> kinoko::Result<Option<Profile>> {
    let users: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM shop_user").fetch_one(&mut **tx).await?;
    let roles: Vec<String> = if users == 0 { vec!["admin".to_owned()] } else { Vec::new() };
    let sql = "INSERT INTO shop_user VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING";
    let insert = sqlx::query(sql).bind(name).bind(hash).bind(roles.join(" "));
    let added = insert.execute(&mut **tx).await?.rows_affected() == 1;
    Ok(added.then(|| Profile { name: name.to_owned(), roles }))
}

/// Looks a user up.
pub(crate) async fn find(db: impl Executor<'_, Database = Any>, name: &str) -> kinoko::Result<Option<Known>> {
    let sql = "SELECT password, roles FROM shop_user WHERE name = $1";
    let row: Option<(String, String)> = sqlx::query_as(sql).bind(name).fetch_optional(db).await?;
    Ok(row.map(|(hash, roles)| {
        let roles = roles.split_whitespace().map(str::to_owned).collect();
        Known { profile: Profile { name: name.to_owned(), roles }, hash }
    }))
}

/// Gives a user other roles. `false`: there is nobody of that name.
pub(crate) async fn set_roles(tx: &mut Tx, name: &str, roles: &[String]) -> kinoko::Result<bool> {
    let sql = "UPDATE shop_user SET roles = $2 WHERE name = $1";
    Ok(sqlx::query(sql).bind(name).bind(roles.join(" ")).execute(&mut **tx).await?.rows_affected() == 1)
}

/// A log-in begins, with its first refresh token.
pub(crate) async fn begin(
    db: impl Executor<'_, Database = Any>,
    id: &str,
    name: &str,
    refresh_id: &str,
) -> kinoko::Result<()> {
    let sql = "INSERT INTO shop_session VALUES ($1, $2, $3, 0)";
    sqlx::query(sql).bind(id).bind(name).bind(refresh_id).execute(db).await?;
    Ok(())
}

/// The newest refresh token of a log-in is used up for the next one. `false`: it was not the newest, or the log-in is over.
pub(crate) async fn rotate(
    db: impl Executor<'_, Database = Any>,
    id: &str,
    spent: &str,
    next: &str,
) -> kinoko::Result<bool> {
    // In one statement: of two who come at once with the same token, one is too late.
    let sql = "UPDATE shop_session SET refresh_id = $3 WHERE id = $1 AND refresh_id = $2 AND ended = 0";
    Ok(sqlx::query(sql).bind(id).bind(spent).bind(next).execute(db).await?.rows_affected() == 1)
}

/// A log-in is over.
pub(crate) async fn end(db: impl Executor<'_, Database = Any>, id: &str) -> kinoko::Result<()> {
    sqlx::query("UPDATE shop_session SET ended = 1 WHERE id = $1").bind(id).execute(db).await?;
    Ok(())
}

/// All log-ins of a user are over.
pub(crate) async fn end_all(tx: &mut Tx, name: &str) -> kinoko::Result<()> {
    sqlx::query("UPDATE shop_session SET ended = 1 WHERE name = $1").bind(name).execute(&mut **tx).await?;
    Ok(())
}

/// Whether a log-in goes on.
pub(crate) async fn is_open(db: impl Executor<'_, Database = Any>, id: &str) -> kinoko::Result<bool> {
    let sql = "SELECT ended FROM shop_session WHERE id = $1";
    let ended: Option<i64> = sqlx::query_scalar::<_, i64>(sql).bind(id).fetch_optional(db).await?;
    Ok(ended == Some(0))
}

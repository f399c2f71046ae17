//! What makes the tables of a program.

use kinoko::{
    ErrorKind,
    prelude::*,
    sql::{Database, Migrations, Tx, own_tables},
    testing::{TestApp, TestDatabase},
};

use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::{Gate, Ledger, on_both};

on_both!(
    instances_that_start_at_once_migrate_once,
    a_migration_that_was_changed_is_refused,
    a_later_program_adds_to_what_is_there,
    a_setting_turns_them_off,
    each_database_has_its_own,
    those_of_sqlx_are_taken_as_they_are,
    the_statements_of_own_tables_are_right,
);

async fn instances_that_start_at_once_migrate_once(database: TestDatabase) {
    let starts: Vec<_> = (0..8)
        .map(|_| {
            let app = TestApp::new().service::<Ledger>().replace(Gate::default()).database(&database);
            tokio::spawn(app.yaml("database.max_connections: 2").start())
        })
        .collect();
    let mut apps = Vec::new();
    for start in starts {
        apps.push(start.await.unwrap().unwrap());
    }
    // A second run of the first one would have failed, or doubled this.
    let db = database.database().await.unwrap();
    let accounts: i64 = sqlx::query_scalar("SELECT count(*) FROM account").fetch_one(&*db).await.unwrap();
    assert_eq!(accounts, 1);
    for app in apps {
        app.stop().await.unwrap();
    }
}

async fn migrate(database: &TestDatabase, steps: &[(i64, &'static str)]) -> kinoko::Result<()> {
    database.database().await?.migrate(&Migrations::new(steps.to_vec())).await
}

async fn a_migration_that_was_changed_is_refused(database: TestDatabase) {
    migrate(&database, &[(1, "CREATE TABLE one (n BIGINT)")]).await.unwrap();
    for _ in 0..2 {
        // The second time it would wait for a lock that the first one kept.
        let changed = migrate(&database, &[(1, "CREATE TABLE one (n BIGINT, m BIGINT)")]);
        let error = kinoko_tests::soon("a refusal", changed).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Setup);
        assert!(error.chain().contains("leave it as it was"), "{}", error.chain());
    }
    let error = migrate(&database, &[(2, "CREATE TABLE two (n BIGINT)")]).await.unwrap_err();
    assert!(error.chain().contains("a newer program has been here"), "{}", error.chain());
}

async fn a_later_program_adds_to_what_is_there(database: TestDatabase) {
    migrate(&database, &[(1, "CREATE TABLE one (n BIGINT)")]).await.unwrap();
    let broken = [(1, "CREATE TABLE one (n BIGINT)"), (2, "CREATE TABLE two (n BIGINT); no sql")];
    assert_eq!(migrate(&database, &broken).await.unwrap_err().kind(), ErrorKind::Setup);
    // What failed has left nothing behind.
    let mended = [(1, "CREATE TABLE one (n BIGINT)"), (2, "CREATE TABLE two (n BIGINT)")];
    migrate(&database, &mended).await.unwrap();
    let db = database.database().await.unwrap();
    let none: i64 = sqlx::query_scalar("SELECT count(*) FROM two").fetch_one(&*db).await.unwrap();
    assert_eq!(none, 0);
}

async fn a_setting_turns_them_off(database: TestDatabase) {
    let app = TestApp::new().service::<Ledger>().replace(Gate::default()).database(&database);
    let app = app.yaml("database.migrate: false").start().await.unwrap();
    let error = app.client::<super::LedgerClient>().next().await.unwrap_err().to_string();
    assert!(error.contains("entry"), "there is no such table: {error}");
    app.stop().await.unwrap();
}

fn of_each() -> Migrations {
    Migrations::for_each(
        Migrations::new([(1, "CREATE TABLE kept (id INTEGER PRIMARY KEY AUTOINCREMENT, n BIGINT)")]),
        Migrations::new([(1, "CREATE TABLE kept (id BIGINT GENERATED ALWAYS AS IDENTITY, n BIGINT)")]),
    )
}

#[derive(Dependencies)]
struct Numbered {
    #[dependency(migrations = of_each())]
    #[allow(dead_code, reason = "transactions come from it")]
    db: Database,
}

#[service(name = "numbered")]
impl Numbered {
    #[rpc]
    async fn keep(&self, #[inject] mut tx: Tx, n: i64) -> kinoko::Result<i64> {
        Ok(sqlx::query_scalar("INSERT INTO kept (n) VALUES ($1) RETURNING id").bind(n).fetch_one(&mut *tx).await?)
    }
}

async fn each_database_has_its_own(database: TestDatabase) {
    let app = TestApp::new().service::<Numbered>().database(&database).start().await.unwrap();
    assert_eq!(app.client::<NumberedClient>().keep(5).await.unwrap(), 1);
    app.stop().await.unwrap();
}

/// What `sqlx::migrate!` makes.
fn of_sqlx() -> Migrator {
    let sql = sqlx::SqlSafeStr::into_sql_str("CREATE TABLE kept (id BIGINT, n BIGINT)");
    Migrator::with_migrations(vec![Migration::new(1, "kept".into(), MigrationType::Simple, sql, false)])
}

#[derive(Dependencies)]
struct OfSqlx {
    #[dependency(migrations = of_sqlx())]
    db: Database,
}

#[service(name = "of_sqlx")]
impl OfSqlx {
    #[rpc]
    async fn kept(&self) -> kinoko::Result<i64> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM kept").fetch_one(&*self.db).await?)
    }
}

async fn those_of_sqlx_are_taken_as_they_are(database: TestDatabase) {
    let app = TestApp::new().service::<OfSqlx>().database(&database).start().await.unwrap();
    assert_eq!(app.client::<OfSqlxClient>().kept().await.unwrap(), 0);
    app.stop().await.unwrap();
}

async fn the_statements_of_own_tables_are_right(database: TestDatabase) {
    let db = database.database().await.unwrap();
    let sql = own_tables(db.dialect());
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.clone())).execute(&*db).await.unwrap();
    let parts: Vec<String> = sqlx::query_scalar("SELECT component FROM kinoko_schema").fetch_all(&*db).await.unwrap();
    assert_eq!(parts.len(), sql.lines().filter(|line| line.ends_with(", version 1")).count(), "{parts:?}");
}

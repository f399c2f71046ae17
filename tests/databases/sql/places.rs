//! Where databases are, and what is said of one that cannot be reached.

use kinoko::{
    ErrorKind,
    prelude::*,
    sql::{Database, Migrations, Postgres, Sqlite, Tx},
    testing::{TestApp, TestDatabase},
};

use super::{Gate, Ledger, LedgerClient};

const CANARY: &str = "canary4711";

async fn refusal(yaml: &str) -> String {
    let error = TestApp::new().service::<Ledger>().replace(Gate::default()).yaml(yaml).start().await.unwrap_err();
    let text = format!("{} {error:?}", error.chain());
    assert!(!text.contains(CANARY), "{text}");
    text
}

#[tokio::test]
async fn what_is_no_database_is_told_with_what_to_write() {
    let text = refusal("database.url: 'mysql://me:canary4711@host/db'").await;
    assert!(
        text.contains("`mysql://me:***@host/db` is no database that kinoko knows: write `sqlite:file.db`"),
        "{text}"
    );
    let text = refusal("database.max_connections: 0").await;
    assert!(text.contains("0 connections reach no database"), "{text}");
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_named_without_its_password() {
    let [port] = kinoko_tests::free_ports();
    let url = format!("postgres://me:canary4711@127.0.0.1:{port}/db?password=canary4711");
    let text = refusal(&format!("database: {{url: '{url}', acquire_timeout: 100ms}}")).await;
    assert!(text.contains(&format!("connecting to postgres://me:***@127.0.0.1:{port}/db")), "{text}");
    assert!(text.contains("refused"), "it says why: {text}");
    let text = refusal("database.url: 'sqlite:/no/such/folder/file.db'").await;
    assert!(
        text.contains("connecting to sqlite:/no/such/folder/file.db: ") && text.contains("unable to open"),
        "{text}"
    );
}

#[tokio::test]
#[cfg_attr(not(postgres), ignore = "needs PostgreSQL: run ./test.sh, or set KINOKO_TEST_POSTGRES_URL")]
async fn what_the_server_refuses_is_told_in_its_words() {
    let (before, _) = super::postgres_url().rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let text = refusal(&format!("database.url: '{before}/kinoko_no_such_database'")).await;
    assert!(text.contains("\"kinoko_no_such_database\" does not exist"), "{text}");
}

#[tokio::test]
async fn a_field_of_one_database_takes_no_other() {
    let error = Database::<Postgres>::connect("sqlite:file.db").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`sqlite:file.db` is no database of PostgreSQL"), "{error}");
    let error = Database::<Sqlite>::connect("postgres://me:canary4711@host/db").await.unwrap_err().to_string();
    assert!(error.contains("`postgres://me:***@host/db` is no database of SQLite"), "{error}");
}

/// Without a setting and without a word in its code.
#[derive(Dependencies)]
struct Notes {
    db: Database,
}

#[service(name = "sql_notes")]
impl Notes {
    #[rpc]
    async fn add(&self, #[inject] mut tx: Tx) -> kinoko::Result<i64> {
        sqlx::query("CREATE TABLE IF NOT EXISTS note (n BIGINT)").execute(&mut *tx).await?;
        sqlx::query("INSERT INTO note VALUES (1)").execute(&mut *tx).await?;
        Ok(sqlx::query_scalar("SELECT count(*) FROM note").fetch_one(&mut *tx).await?)
    }

    #[rpc]
    fn address(&self) -> String {
        self.db.address().to_owned()
    }
}

#[tokio::test]
async fn a_program_under_test_has_a_database_of_its_own_that_is_thrown_away() {
    for _ in 0..2 {
        let app = TestApp::new().service::<Notes>().start().await.unwrap();
        let client = app.client::<NotesClient>();
        assert_eq!((client.add().await.unwrap(), client.add().await.unwrap()), (1, 2));
        let address = client.address().await.unwrap();
        let file = std::path::PathBuf::from(address.strip_prefix("sqlite:").unwrap());
        assert!(file.is_absolute() && file.exists(), "{address}");
        app.stop().await.unwrap();
        drop(client);
        assert!(!file.exists(), "{address}");
    }
    assert!(!std::path::Path::new("sql_notes.db").exists());
}

#[tokio::test]
async fn a_database_in_memory_stays_as_long_as_its_program() {
    let app = TestApp::new().service::<Ledger>().replace(Gate::default());
    let app = app.yaml("database: {url: 'sqlite::memory:', max_connections: 8}").start().await.unwrap();
    let client = app.client::<LedgerClient>();
    let calls: Vec<_> = (0..20).map(|_| tokio::spawn(client.next().into_future())).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(client.next().await.unwrap(), 21);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_test_that_panics_is_thrown_away() {
    let mut urls = vec![TestDatabase::sqlite().await.unwrap()];
    if cfg!(postgres) {
        urls.push(super::postgres().await);
    }
    for database in urls {
        let url = database.url().to_owned();
        let panicking = tokio::spawn(async move {
            let db = database.database().await.unwrap();
            let _held = db.begin().await.unwrap();
            panic!("as tests do");
        });
        assert!(panicking.await.unwrap_err().is_panic());
        match url.strip_prefix("sqlite:") {
            Some(file) => assert!(!std::path::Path::new(file).exists()),
            None => {
                let error = Database::<Postgres>::connect(&url).await.unwrap_err().to_string();
                assert!(error.contains("does not exist"), "{error}");
            }
        }
    }
}

#[derive(Dependencies)]
struct Cups {
    #[dependency(url = "sqlite::memory:", migrations = Migrations::new([(1, "CREATE TABLE cup (n BIGINT)")]))]
    db: Database,
}

#[service(name = "places_cups")]
impl Cups {
    #[rpc]
    async fn count(&self) -> kinoko::Result<i64> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM cup").fetch_one(&*self.db).await?)
    }
}

#[derive(Dependencies)]
struct Pots {
    #[dependency(url = "sqlite::memory:", migrations = Migrations::new([(1, "CREATE TABLE pot (n BIGINT)")]))]
    db: Database,
}

#[service(name = "places_pots")]
impl Pots {
    #[rpc]
    async fn count(&self) -> kinoko::Result<i64> {
        Ok(sqlx::query_scalar("SELECT count(*) FROM pot").fetch_one(&*self.db).await?)
    }
}

#[tokio::test]
async fn in_memory_each_service_has_a_database_of_its_own() {
    let app = App::new().service::<Cups>().service::<Pots>().start().await.unwrap();
    assert_eq!(app.client::<CupsClient>().count().await.unwrap(), 0);
    assert_eq!(app.client::<PotsClient>().count().await.unwrap(), 0);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn two_services_with_steps_of_their_own_in_one_database_are_told_what_to_write() {
    let database = TestDatabase::sqlite().await.unwrap();
    let app = TestApp::new().service::<Cups>().service::<Pots>().database(&database);
    let error = app.start().await.unwrap_err().chain();
    assert!(error.contains("another service has steps of its own in this database"), "{error}");
    assert!(error.contains("#[dependency(key = "), "{error}");
}

//! The example `payments` over RabbitMQ, and the gateway that it asks over HTTP, which is down, and then too slow for what is asked for.
//!
//! `./test.sh --proof gateway` runs it in full and prints what docs/reference/reliability.md tells.

mod dead;
mod ops;
mod overload;

use contracts::PaymentsClient;
use gateway::Gateway;
use kinoko::{App, Client, RunningApp, Settings, sql::Database, testing::TestDatabase};
use payments_service::PaymentsService;

use self::ops::Ops;
use crate::node::Node;

/// Whether this is the proof; every run is shorter.
fn is_proof() -> bool {
    std::env::var_os("KINOKO_TEST_PROOF_GATEWAY").is_some()
}

/// How long something lasts, in seconds.
fn seconds(full: u64, reduced: u64) -> std::time::Duration {
    std::time::Duration::from_secs(if is_proof() { full } else { reduced })
}

/// The service, its gateway, and a caller with a connection of its own.
struct Stage {
    gateway: Gateway,
    payments: PaymentsClient,
    books: Database,
    ops: Ops,
    app: RunningApp,
    client: Client,
    _database: TestDatabase,
    _node: Node,
}

impl Stage {
    async fn start(max_workers: u32) -> Self {
        let node = Node::get().await;
        let (gateway, database) = (Gateway::open("127.0.0.1:0").await.unwrap(), TestDatabase::sqlite().await.unwrap());
        let mut settings = Settings::default();
        for (key, value) in [
            ("amqp_uri", node.uri()),
            ("payments.gateway", gateway.url()),
            ("payments.database.url", database.url().to_owned()),
            ("ops.address", "127.0.0.1:0".to_owned()),
            ("ops.token", Ops::TOKEN.to_owned()),
        ] {
            settings.set(key, value);
        }
        settings.set("max_workers", max_workers);
        let app = App::new().settings(settings).service::<PaymentsService>().start().await.unwrap();
        let client = Client::connect(&node.uri()).await.unwrap();
        Self {
            gateway,
            payments: client.service(),
            books: database.database().await.unwrap(),
            ops: Ops::at(app.ops_address().unwrap()),
            app,
            client,
            _database: database,
            _node: node,
        }
    }

    /// How many payments stand so in the books.
    async fn count(&self, state: &str) -> u64 {
        let sql = "SELECT COUNT(*) FROM charge WHERE state = $1";
        let count: i64 = sqlx::query_scalar(sql).bind(state).fetch_one(&*self.books).await.unwrap();
        u64::try_from(count).unwrap()
    }

    async fn stop(self) {
        assert_eq!(self.client.pending_calls(), 0);
        self.client.close().await;
        self.app.stop().await.unwrap();
    }
}

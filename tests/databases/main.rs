//! What is promised of databases: transactions of workers, the outbox, idempotency; each on SQLite and on PostgreSQL.

mod idempotency;
mod outbox;
mod sql;

//! The payments, in the service's database.

use std::time::{Duration, SystemTime};

use kinoko::sql::{Migrations, Tx};
use sqlx::{Any, Executor};

/// The tables of the service's database.
pub fn tables() -> Migrations {
    Migrations::new([
        (
            1,
            "CREATE TABLE payment (order_id BIGINT PRIMARY KEY, cents BIGINT NOT NULL, refunded BIGINT NOT NULL)",
        ),
        (
            2,
            "CREATE TABLE charge (
                 order_id BIGINT PRIMARY KEY, gateway_key TEXT NOT NULL UNIQUE, cents BIGINT NOT NULL, state TEXT NOT NULL,
                 tries BIGINT NOT NULL, since_ms BIGINT NOT NULL
             );
             CREATE INDEX open_charge ON charge (tries, since_ms) WHERE state IN ('pending', 'refunding');
             INSERT INTO charge SELECT order_id, 'order-' || order_id, cents, CASE refunded WHEN 1 THEN 'refunded' ELSE 'charged' END, 0, 0
                 FROM payment;
             DROP TABLE payment",
        ),
    ])
}

/// What the books know of an order's payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) order_id: u64,
    /// What the gateway knows it by. Neither changes once it is written.
    pub(crate) key: String,
    pub(crate) cents: u64,
    pub(crate) state: State,
}

/// How a payment stands. Pending ones become charged or declined, and what is not declined may become refunding, then refunded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The gateway may have been asked, and may have charged.
    Pending,
    Charged,
    Declined,
    /// To be given back, charged or not.
    Refunding,
    Refunded,
}

impl State {
    const ALL: [Self; 5] = [Self::Pending, Self::Charged, Self::Declined, Self::Refunding, Self::Refunded];

    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Charged => "charged",
            Self::Declined => "declined",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
        }
    }
}

/// Writes a charge down, as one that is pending, unless the order has one. Whether it was written.
pub(crate) async fn open(db: impl Executor<'_, Database = Any>, charge: &Charge) -> kinoko::Result<bool> {
    let sql = "INSERT INTO charge VALUES ($1, $2, $3, 'pending', 0, $4) ON CONFLICT (order_id) DO NOTHING";
    let insert = sqlx::query(sql).bind(number(charge.order_id)?).bind(&charge.key).bind(number(charge.cents)?);
    Ok(insert.bind(now()?).execute(db).await?.rows_affected() == 1)
}

/// What is known of an order.
pub(crate) async fn find(db: impl Executor<'_, Database = Any>, order_id: u64) -> kinoko::Result<Option<Charge>> {
    let sql = "SELECT order_id, gateway_key, cents, state FROM charge WHERE order_id = $1";
    let row: Option<Row> = sqlx::query_as(sql).bind(number(order_id)?).fetch_optional(db).await?;
    row.map(charge).transpose()
}

/// An order's payment, charged or not, is to be given back. One that was never asked for never will be charged.
pub(crate) async fn give_back(tx: &mut Tx, order_id: u64) -> kinoko::Result<Option<Charge>> {
    let sql = "INSERT INTO charge VALUES ($1, $2, 0, 'refunded', 0, $3) ON CONFLICT (order_id) DO UPDATE
               SET state = 'refunding', tries = 0, since_ms = $3 WHERE charge.state IN ('pending', 'charged')";
    let insert = sqlx::query(sql).bind(number(order_id)?).bind(format!("order-{order_id}"));
    insert.bind(now()?).execute(&mut **tx).await?;
    Ok(find(&mut **tx, order_id).await?.filter(|charge| charge.state == State::Refunding))
}

/// Something is known of a charge now. `false`: by then it stood otherwise.
pub(crate) async fn close(tx: &mut Tx, charge: &Charge, state: State) -> kinoko::Result<bool> {
    let sql = "UPDATE charge SET state = $1 WHERE order_id = $2 AND state = $3";
    let update = sqlx::query(sql).bind(state.name()).bind(number(charge.order_id)?).bind(charge.state.name());
    Ok(update.execute(&mut **tx).await?.rows_affected() == 1)
}

/// Those of which it is not known what becomes of them, and that have been so for this long: those that were asked about least come first, so
/// that none which fails holds up the others.
pub(crate) async fn unsettled(
    db: impl Executor<'_, Database = Any>,
    for_long: Duration,
    limit: u32,
) -> kinoko::Result<Vec<Charge>> {
    let sql = "SELECT order_id, gateway_key, cents, state FROM charge WHERE state IN ('pending', 'refunding') AND since_ms <= $1
               ORDER BY tries, since_ms LIMIT $2";
    let before = now()? - i64::try_from(for_long.as_millis())?;
    let rows: Vec<Row> = sqlx::query_as(sql).bind(before).bind(i64::from(limit)).fetch_all(db).await?;
    rows.into_iter().map(charge).collect()
}

/// The gateway was asked in vain.
pub(crate) async fn tried(db: impl Executor<'_, Database = Any>, order_id: u64) -> kinoko::Result<()> {
    let sql = "UPDATE charge SET tries = tries + 1 WHERE order_id = $1";
    sqlx::query(sql).bind(number(order_id)?).execute(db).await?;
    Ok(())
}

type Row = (i64, String, i64, String);

fn charge((order_id, key, cents, state): Row) -> kinoko::Result<Charge> {
    let known = State::ALL.into_iter().find(|known| known.name() == state);
    let state = known.ok_or_else(|| kinoko::Error::msg(format!("order {order_id} is `{state}` in the books")))?;
    Ok(Charge { order_id: u64::try_from(order_id)?, key, cents: u64::try_from(cents)?, state })
}

/// As databases know numbers.
fn number(number: u64) -> kinoko::Result<i64> {
    Ok(i64::try_from(number)?)
}

/// In milliseconds since 1970.
fn now() -> kinoko::Result<i64> {
    Ok(i64::try_from(SystemTime::UNIX_EPOCH.elapsed()?.as_millis())?)
}

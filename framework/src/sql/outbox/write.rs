//! The writing side: a row in the transaction, and what its commit tells.

use sqlx::SqlStr;
use uuid::Uuid;

use super::{row, store};
use crate::{
    event::{DispatchError, Prepared},
    protocol::{Name, names},
    sql::{Backend, Database, Dialect, Tx, backend::millis},
};

/// What one transaction has sent.
#[derive(Default)]
pub(in crate::sql) struct Written {
    /// What its messages without a key keep their order by.
    order: Option<String>,
    /// Whether a relay has something to do after the commit.
    any: bool,
    /// What a test looks at, instead of a broker.
    recorded: Vec<Prepared>,
}

impl Written {
    /// The transaction has committed, or nobody knows whether it has.
    pub(in crate::sql) fn ended<D: Backend>(self, database: &Database<D>, committed: bool) {
        if self.any {
            database.0.outbox.wake();
        }
        for prepared in self.recorded.into_iter().filter(|_| committed) {
            if let Some(recorded) = prepared.recorded() {
                recorded.take(&prepared);
            }
        }
    }
}

/// Writes a message into a transaction.
pub(super) async fn write<D: Backend>(
    tx: &mut Tx<D>,
    prepared: Prepared,
    ordered_by: Option<String>,
) -> Result<Name, DispatchError> {
    check(&prepared, ordered_by.as_deref())?;
    let message_id = prepared.message_id();
    let (transaction, written, database) = tx.parts();
    if prepared.recorded().is_some() {
        written.recorded.push(prepared);
        return Ok(message_id);
    }
    database.0.outbox.available().map_err(DispatchError::NotWritten)?;
    let failed = |error| DispatchError::NotWritten(database.failed("writing to the outbox", error).chain());
    let dialect = database.dialect();
    if let (Some(key), Dialect::Postgres) = (&ordered_by, dialect) {
        let orderly = SqlStr::from_static(store::ORDERLY);
        D::execute(transaction, orderly, vec![key.as_str().into()]).await.map_err(failed)?;
    }
    let order = match ordered_by {
        Some(key) => key,
        // What is sent later is in no order.
        None if !prepared.delay.is_zero() => Uuid::new_v4().to_string(),
        None => written.order.get_or_insert_with(|| Uuid::new_v4().to_string()).clone(),
    };
    let message = &prepared.message;
    let mut values = vec![
        order.into(),
        message_id.as_str().into(),
        message.exchange.as_str().into(),
        message.routing_key.as_str().into(),
        row::properties(&prepared).into(),
        message.body.to_vec().into(),
        millis(prepared.delay).into(),
    ];
    let wakes = !written.any && dialect == Dialect::Postgres;
    if wakes {
        values.push(database.0.outbox.id().into());
    }
    written.any = true;
    D::execute(transaction, store::insert(dialect, wakes), values).await.map_err(failed)?;
    Ok(message_id)
}

fn check(prepared: &Prepared, ordered_by: Option<&str>) -> Result<(), DispatchError> {
    let message = &prepared.message;
    let invalid = |text: String| Err(DispatchError::Invalid(text));
    let key = ordered_by.unwrap_or_default();
    if ordered_by.is_some() && !prepared.delay.is_zero() {
        return invalid("what is sent later has no place in an order: leave `ordered_by` out, or the delay".to_owned());
    }
    if key.len() > names::MAX_BYTES {
        return invalid(format!(
            "the key of `ordered_by` is {} bytes long, {} are allowed",
            key.len(),
            names::MAX_BYTES
        ));
    }
    let id = prepared.message_id();
    for (what, text) in [
        ("exchange", message.exchange.as_str()),
        ("routing key", message.routing_key.as_str()),
        ("message id", id.as_str()),
        ("key of `ordered_by`", key),
    ] {
        if text.contains('\0') {
            return invalid(format!("the {what} holds a NUL, for which PostgreSQL has no room"));
        }
    }
    Ok(())
}

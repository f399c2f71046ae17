//! Sagas as they are read back.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::{
    saga::{Happened, Instance, SagaId, SagaState, Signal, TimelineEntry},
    sql::backend::Cells,
};

/// The column of a saga's fence.
pub(super) const FENCE: usize = 13;

/// A saga without its signals, from the columns that the statements name.
pub(super) fn instance(row: &mut Cells) -> sqlx::Result<Instance> {
    let state = row.text(5)?;
    let started = row.int(11)?;
    Ok(Instance {
        id: SagaId { saga: row.text(0)?, id: row.text(1)? },
        service: row.text(2)?,
        version: u32::try_from(row.int(3)?).unwrap_or(u32::MAX),
        steps: row.text(4)?,
        state: SagaState::parse(&state).ok_or_else(|| {
            sqlx::Error::Protocol(format!("a saga is `{state}`, which this kinoko does not know: a newer one wrote it"))
        })?,
        input: json(&row.text(6)?)?,
        context: json(&row.text(7)?)?,
        progress: json(&row.text(8)?)?,
        seq: row.int(9)?.unsigned_abs(),
        signals: Vec::new(),
        age: Duration::from_millis(u64::try_from(row.int(14)? - started).unwrap_or_default()),
        started_at_ms: started.unsigned_abs(),
        updated_at_ms: row.int(12)?.unsigned_abs(),
        owner: row.optional_text(10)?,
    })
}

/// A signal, and the id of its saga.
pub(super) fn signal(row: &mut Cells) -> sqlx::Result<(String, Signal)> {
    let signal = Signal { number: row.int(1)?.unsigned_abs(), name: row.text(2)?, payload: json(&row.text(3)?)? };
    Ok((row.text(0)?, signal))
}

/// A timeline: each row holds what happened in one transition.
pub(super) fn entries(rows: Vec<Cells>) -> sqlx::Result<Vec<TimelineEntry>> {
    let mut entries = Vec::new();
    for mut row in rows {
        let at_ms = row.int(0)?.unsigned_abs();
        for what in json::<Vec<Happened>>(&row.text(1)?)? {
            entries.push(TimelineEntry { number: entries.len() as u64 + 1, at_ms, what });
        }
    }
    Ok(entries)
}

fn json<T: DeserializeOwned>(text: &str) -> sqlx::Result<T> {
    serde_json::from_str(text).map_err(|error| sqlx::Error::Decode(error.into()))
}

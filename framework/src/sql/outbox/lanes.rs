//! What a relay has read and not yet done with: in lanes, one for each order, of which one row is under way.

use std::collections::{HashMap, HashSet, VecDeque};

use super::row::Row;

#[derive(Default)]
pub(super) struct Lanes {
    /// Those of which a row is under way, or was refused.
    lanes: HashMap<String, Lane>,
    /// All that was read and is not yet known to be gone from the table: it may be read again.
    known: HashSet<i64>,
    waiting: usize,
}

#[derive(Default)]
struct Lane {
    /// What comes after the one under way.
    waiting: VecDeque<Row>,
    /// Nothing of it goes out before the database knows that its first was refused.
    refused: bool,
}

impl Lanes {
    /// Takes what was read. Returns it if it is to be sent now.
    pub(super) fn add(&mut self, row: Row) -> Option<Row> {
        if self.known.contains(&row.id) {
            return None;
        }
        match self.lanes.get_mut(&row.ordered_by) {
            // It is read again, behind the first.
            Some(lane) if lane.refused => None,
            Some(lane) => {
                self.known.insert(row.id);
                self.waiting += 1;
                lane.waiting.push_back(row);
                None
            }
            None => {
                self.known.insert(row.id);
                self.lanes.insert(row.ordered_by.clone(), Lane::default());
                Some(row)
            }
        }
    }

    /// The one under way was sent. Returns the next one.
    pub(super) fn sent(&mut self, row: &Row) -> Option<Row> {
        let next = self.lanes.get_mut(&row.ordered_by).and_then(|lane| lane.waiting.pop_front());
        match &next {
            Some(_) => self.waiting -= 1,
            None => drop(self.lanes.remove(&row.ordered_by)),
        }
        next
    }

    /// The one under way was refused: those behind it wait with it, in the database.
    pub(super) fn refused(&mut self, row: &Row) {
        if let Some(lane) = self.lanes.get_mut(&row.ordered_by) {
            lane.refused = true;
            self.waiting -= lane.waiting.len();
            for row in lane.waiting.drain(..) {
                self.known.remove(&row.id);
            }
        }
    }

    /// The database knows of the refusal.
    pub(super) fn held(&mut self, row: &Row) {
        self.lanes.remove(&row.ordered_by);
        self.known.remove(&row.id);
    }

    /// They are gone from the table.
    pub(super) fn gone(&mut self, ids: &[i64]) {
        for id in ids {
            self.known.remove(id);
        }
    }

    /// Forgets all that is under way and waits, but for what is sent and not yet gone.
    pub(super) fn let_go(&mut self, sent: impl Iterator<Item = i64>) {
        *self = Self { known: sent.collect(), ..Self::default() };
    }

    /// How many wait behind others.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, ordered_by: &str) -> Row {
        Row { id, ordered_by: ordered_by.to_owned(), attempts: 0, bytes: 0, message: Err(String::new()) }
    }

    fn ids(rows: impl IntoIterator<Item = Option<Row>>) -> Vec<Option<i64>> {
        rows.into_iter().map(|row| row.map(|row| row.id)).collect()
    }

    #[test]
    fn one_row_of_each_order_is_under_way() {
        let mut lanes = Lanes::default();
        let read = [row(1, "a"), row(2, "a"), row(3, "b"), row(4, "a")];
        assert_eq!(ids(read.map(|row| lanes.add(row))), [Some(1), None, Some(3), None]);
        assert_eq!(lanes.waiting(), 2);
        assert_eq!(
            ids([lanes.sent(&row(1, "a")), lanes.sent(&row(3, "b")), lanes.sent(&row(2, "a"))]),
            [Some(2), None, Some(4)]
        );
        assert_eq!(lanes.waiting(), 0);
    }

    #[test]
    fn what_is_read_again_is_sent_once() {
        let mut lanes = Lanes::default();
        assert!(lanes.add(row(1, "a")).is_some());
        assert!(lanes.add(row(1, "a")).is_none());
        assert!(lanes.sent(&row(1, "a")).is_none());
        assert!(lanes.add(row(1, "a")).is_none(), "it is sent, and its row not yet gone");
        lanes.gone(&[1]);
        assert!(lanes.add(row(1, "a")).is_some(), "whoever puts it there again means it");
    }

    #[test]
    fn nothing_overtakes_what_was_refused() {
        let mut lanes = Lanes::default();
        assert!(lanes.add(row(1, "a")).is_some());
        assert!(lanes.add(row(2, "a")).is_none());
        lanes.refused(&row(1, "a"));
        assert_eq!(lanes.waiting(), 0);
        assert_eq!(
            ids([lanes.add(row(2, "a")), lanes.add(row(3, "a")), lanes.add(row(4, "b"))]),
            [None, None, Some(4)]
        );
        lanes.held(&row(1, "a"));
        assert_eq!(ids([lanes.add(row(1, "a")), lanes.add(row(2, "a"))]), [Some(1), None]);
    }

    #[test]
    fn what_is_let_go_is_read_again_unless_it_was_sent() {
        let mut lanes = Lanes::default();
        for id in 1..=3 {
            let _ = lanes.add(row(id, "a"));
        }
        assert_eq!(ids([lanes.sent(&row(1, "a"))]), [Some(2)]);
        lanes.let_go([1].into_iter());
        assert_eq!(
            ids([lanes.add(row(1, "a")), lanes.add(row(2, "a")), lanes.add(row(3, "a"))]),
            [None, Some(2), None]
        );
    }
}

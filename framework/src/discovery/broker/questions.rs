//! What this program has asked and waits to be answered.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::protocol::Name;

/// How much is taken of the answers to one question: more than a large fleet says, and no more than a process can bear.
const MOST_ANSWERS: usize = 4096;
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Questions by correlation id, which nobody can guess.
#[derive(Debug, Clone, Default)]
pub(super) struct Questions(Arc<Mutex<HashMap<Name, Open>>>);

#[derive(Debug)]
struct Open {
    answers: mpsc::UnboundedSender<Bytes>,
    answers_left: usize,
    bytes_left: usize,
}

/// A question that was asked; forgotten with its drop.
#[derive(Debug)]
pub(super) struct Question {
    questions: Questions,
    pub(super) correlation_id: Name,
    answers: mpsc::UnboundedReceiver<Bytes>,
}

impl Questions {
    fn open(&self) -> MutexGuard<'_, HashMap<Name, Open>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ask(&self) -> Question {
        let (sender, answers) = mpsc::unbounded_channel();
        let correlation_id = Name::from(Uuid::new_v4().to_string());
        let open = Open { answers: sender, answers_left: MOST_ANSWERS, bytes_left: MOST_BYTES };
        self.open().insert(correlation_id.clone(), open);
        Question { questions: self.clone(), correlation_id, answers }
    }

    /// Takes an answer, if it is one and there is room for it.
    pub(super) fn answer(&self, correlation_id: &str, body: Bytes) {
        let mut open = self.open();
        let Some(question) = open.get_mut(correlation_id) else { return };
        let bytes_left = question.bytes_left.checked_sub(body.len());
        if let (Some(bytes_left), 1..) = (bytes_left, question.answers_left) {
            question.bytes_left = bytes_left;
            question.answers_left -= 1;
            let _ = question.answers.send(body);
        }
    }
}

impl Question {
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        self.answers.recv().await
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.questions.open().remove(&self.correlation_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_are_taken_while_somebody_asks_and_no_more_of_them_than_fit() {
        let questions = Questions::default();
        let mut question = questions.ask();
        questions.answer("another", Bytes::from_static(b"no"));
        questions.answer(&question.correlation_id, Bytes::from(vec![0; MOST_BYTES + 1]));
        for _ in 0..MOST_ANSWERS + 10 {
            questions.answer(&question.correlation_id, Bytes::from_static(b"yes"));
        }
        let mut taken = 0;
        while let Ok(body) = question.answers.try_recv() {
            assert_eq!(body, "yes");
            taken += 1;
        }
        assert_eq!(taken, MOST_ANSWERS);
        drop(question);
        assert!(questions.open().is_empty());
    }
}

//! What code that `#[http]` generates calls.

pub use super::{
    answer::{Answers, AnswersError, NotResponse, ResponseProbe, answer},
    bind::bind,
};

//! What code that `#[http]` generates calls.

pub use super::{
    answer::{Answers, AnswersError, NotResponse, ResponseProbe, answer},
    bind::bind,
    extract::{BesideBody, Extractor, LastExtractor, extract, extract_beside_body, extract_last, head},
    media::{AnswerProbe, NotSecured, OtherAnswer, SecuredProbe},
};

//! What errors mean to a policy, and what a policy says when it refuses.

use kinoko::{CallError, Fault, ServiceError as _, Timeout, prelude::*};

use super::*;

#[derive(Debug, thiserror::Error, ServiceError)]
enum StockError {
    #[error("out of stock")]
    #[fault(http = 409)]
    OutOfStock,
    #[error("no, and never")]
    #[fault(retry = false, http = 503)]
    Never,
    #[error("closed")]
    #[fault(retry = true, http = 409)]
    Closed,
    #[error("the shelf broke")]
    #[fault(http = 500)]
    Broken,
    #[error("the disk is full")]
    Disk,
}

#[test]
fn a_services_error_means_what_its_fault_says() {
    for (error, class) in [
        (StockError::OutOfStock, Class::ANSWER),
        (StockError::Never, Class::ANSWER),
        (StockError::Closed, Class::REPEATABLE),
        (StockError::Broken, Class::FAILURE),
        (StockError::Disk, Class::FAILURE),
    ] {
        assert_eq!(error.classify(), class, "{error}");
        assert_eq!(CallError::Service(error).classify(), class);
    }
}

#[test]
fn a_fault_that_came_back_means_the_same() {
    let fault = |retryable, http| Fault { retryable, http, retry_after_ms: Some(1_500), ..Fault::default() };
    let class = |fault| CallError::<StockError>::Remote(Box::new(fault)).classify();
    assert_eq!(class(fault(Some(true), None)), Class { retry_after: Some(ms(1_500)), ..Class::REPEATABLE });
    assert_eq!(class(fault(Some(false), Some(500))), Class::ANSWER);
    assert_eq!(class(fault(None, Some(499))), Class::ANSWER);
    assert_eq!(class(fault(None, Some(500))), Class::FAILURE);
    assert_eq!(class(fault(None, None)), Class::FAILURE);
}

#[test]
fn a_call_is_repeated_only_where_nobody_can_have_run_it() {
    type Failed = CallError<StockError>;
    let late = |sent| {
        let (service, method) = ("stock".to_owned(), "take".to_owned());
        Failed::Timeout(Timeout { service, method, after: secs(1), no_instance: false, sent })
    };
    let names = || ("stock".to_owned(), "take".to_owned());
    let (service, method) = names();
    for (error, class) in [
        (late(true), Class::FAILURE),
        (late(false), Class::REPEATABLE),
        (Failed::ReplyChannelLost, Class::FAILURE),
        (Failed::BadReply("no number".to_owned()), Class::FAILURE),
        (Failed::Unavailable("no broker".to_owned()), Class::REPEATABLE),
        (Failed::UnknownService { service: names().0, did_you_mean: None }, Class::REPEATABLE),
        (Failed::MethodNotFound { service, method }, Class::ANSWER),
        (Failed::BadRequest("no sku".to_owned()), Class::ANSWER),
        (Failed::TooLarge { bytes: 2, limit: 1 }, Class::ANSWER),
        (Failed::Unauthenticated("no token".to_owned()), Class::ANSWER),
        (Failed::Forbidden("no role".to_owned()), Class::ANSWER),
    ] {
        assert_eq!(error.classify(), class, "{error}");
    }
}

#[test]
fn a_refusal_is_an_error_like_others_and_nobody_comes_back_too_early() {
    let wait = Duration::from_micros(4_200);
    for (reason, http, class) in [
        (Refusal::Timeout { after: wait }, 504, Class::FAILURE),
        (Refusal::BulkheadFull, 503, Class::REPEATABLE),
        (Refusal::CircuitOpen { retry_after: None }, 503, Class::REPEATABLE),
        (
            Refusal::CircuitOpen { retry_after: Some(wait) },
            503,
            Class { retry_after: Some(ms(5)), ..Class::REPEATABLE },
        ),
        (Refusal::RateLimited { retry_after: wait }, 429, Class { retry_after: Some(ms(5)), ..Class::REPEATABLE }),
    ] {
        let refused = Refused { policy: "tried".into(), reason };
        assert_eq!((refused.to_fault().http, refused.classify()), (Some(http), class), "{refused}");
        let through_a_client = match reason {
            Refusal::CircuitOpen { .. } => CallError::<StockError>::CircuitOpen(refused),
            Refusal::RateLimited { .. } => CallError::RateLimited(refused),
            Refusal::BulkheadFull => CallError::BulkheadFull(refused),
            _ => continue,
        };
        assert_eq!(through_a_client.classify(), class, "{through_a_client}");
    }
}

#[test]
fn a_refusal_says_which_policy_and_which_part() {
    for (reason, may_have_run, text) in [
        (Refusal::Timeout { after: ms(1_500) }, true, "`tried` was not over within 1.5s"),
        (
            Refusal::CircuitOpen { retry_after: Some(ms(3_210)) },
            false,
            "the circuit of `tried` is open: too many of its last calls failed; it tries again in 3.2s",
        ),
        (
            Refusal::CircuitOpen { retry_after: None },
            false,
            "the circuit of `tried` is open: too many of its last calls failed",
        ),
        (Refusal::BulkheadFull, false, "`tried` has as many calls under way as it may"),
        (
            Refusal::RateLimited { retry_after: ms(20) },
            false,
            "`tried` has begun as many calls as it may; another one in 20.0ms",
        ),
    ] {
        let refused = Refused { policy: "tried".into(), reason };
        assert_eq!((refused.may_have_run(), refused.to_string().as_str()), (may_have_run, text));
        assert_eq!(PolicyError::<StockError>::Refused(refused).to_string(), text);
    }
    assert_eq!(PolicyError::Failed(StockError::Disk).to_string(), "the disk is full");
}

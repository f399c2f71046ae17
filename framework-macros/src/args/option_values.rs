//! Options that mean the same wherever they occur: a slip in their values is told while compiling.
//!
//! Only what is written out is looked at; what a constant holds is checked when it is read.

use std::time::Duration;

use kinoko_text::{parse_backoff, parse_duration, parse_rate};
use syn::{Expr, ExprLit, ExprUnary, Lit, UnOp};

/// `Err` says what to write.
type Check = Result<(), String>;

/// Those of `CircuitBreaker` and `Bulkhead` in kinoko.
const MOST_CALLS: f64 = 10_000.0;
const MOST_AT_ONCE: f64 = 1_000_000.0;

/// How a part of a policy is written.
pub(super) fn part_example(key: &str) -> Option<&'static str> {
    Some(match key {
        "retry" => "`retry = 3`, or `retry(max = 3, backoff = \"50ms..2s\")`",
        "breaker" => "`breaker`, or `breaker(failure_rate = 0.5, window = \"10s\")`",
        "bulkhead" => "`bulkhead = 20`, or `bulkhead(concurrency = 20, queue = 10)`",
        "rate_limit" => "`rate_limit = \"100/s\"`, or `rate_limit(calls = 100, per = \"1s\")`",
        _ => return None,
    })
}

/// Whether a value is one that the option can have. What it is of another type than the option is the compiler's to say.
pub(super) fn check(part: Option<&str>, key: &str, value: &Expr) -> Check {
    let Some(value) = Written::of(value) else { return Ok(()) };
    match (part, key) {
        (None, "every" | "interval" | "ttl" | "expires") => value.duration().map(|_| ()),
        (None, "timeout" | "attempt_timeout" | "last_good") => value.some_time(key),
        (None, "retry") => value.repetitions(),
        (None, "breaker") => value.no_breaker(),
        (None, "bulkhead") => value.bulkhead(),
        (None, "rate_limit") => value.rate(),
        (Some("retry"), "backoff") => value.backoff(),
        (Some("retry"), "budget") => value.share(key, true),
        (Some("retry"), "max") => value.whole(key, 0.0, f64::from(u32::MAX)),
        (Some("breaker"), "failure_rate" | "slow_rate") => value.share(key, false),
        (Some("breaker"), "slow_after" | "open_for") => value.some_time(key),
        (Some("breaker"), "window") => value.window(),
        (Some("breaker"), "min_calls" | "trials") => value.whole(key, 1.0, f64::from(u32::MAX)),
        (Some("bulkhead"), "concurrency") => value.whole(key, 1.0, MOST_AT_ONCE),
        (Some("bulkhead"), "queue") => value.whole(key, 0.0, MOST_AT_ONCE),
        (Some("rate_limit"), "calls" | "burst") => value.whole(key, 1.0, f64::from(u32::MAX)),
        (Some("rate_limit"), "per") => value.some_time(key),
        (Some(_), "timeout" | "every" | "interval" | "ttl" | "expires") => value.duration().map(|_| ()),
        _ => Ok(()),
    }
}

/// A value that is written out.
enum Written {
    Text(String),
    Whole(f64),
    /// With a point.
    Share(f64),
    Other,
}

impl Written {
    fn of(value: &Expr) -> Option<Self> {
        match value {
            Expr::Lit(ExprLit { lit, .. }) => Some(match lit {
                Lit::Str(text) => Self::Text(text.value()),
                Lit::Int(number) => number.base10_parse().map_or(Self::Other, Self::Whole),
                Lit::Float(number) => number.base10_parse().map_or(Self::Other, Self::Share),
                _ => Self::Other,
            }),
            Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => match Self::of(expr)? {
                Self::Whole(number) => Some(Self::Whole(-number)),
                Self::Share(number) => Some(Self::Share(-number)),
                _ => None,
            },
            Expr::Group(group) => Self::of(&group.expr),
            Expr::Paren(paren) => Self::of(&paren.expr),
            _ => None,
        }
    }

    fn duration(&self) -> Result<Option<Duration>, String> {
        match self {
            Self::Text(text) => parse_duration(text).map(Some),
            _ => Ok(None),
        }
    }

    fn some_time(&self, key: &str) -> Check {
        positive(key, self.duration()?)
    }

    fn whole(&self, key: &str, least: f64, most: f64) -> Check {
        match self {
            Self::Whole(number) if *number < least => Err(format!("`{key}` is {number}: write at least {least}")),
            Self::Whole(number) if *number > most => Err(format!("`{key}` is {number}: write at most {most}")),
            Self::Share(_) => Err(format!("`{key}` is a whole number: write `{key} = {}`", least.max(3.0))),
            _ => Ok(()),
        }
    }

    /// Of the calls: a number with a point.
    fn share(&self, key: &str, may_be_none: bool) -> Check {
        let least = if may_be_none { "at least 0" } else { "above 0" };
        match self {
            Self::Share(share) if *share > 1.0 || *share < 0.0 || (*share == 0.0 && !may_be_none) => Err(format!(
                "`{key}` is {share}: a share is {least} and at most 1.0, such as 0.5 for half of the calls"
            )),
            Self::Whole(share) => Err(format!(
                "`{key}` is {share}, and a share is written with a point, {least} and at most 1.0: such as 0.5 for half of the calls"
            )),
            _ => Ok(()),
        }
    }

    fn repetitions(&self) -> Check {
        match self {
            Self::Whole(_) => self.whole("retry", 0.0, f64::from(u32::MAX)),
            _ => instead("retry", "so many repetitions"),
        }
    }

    fn bulkhead(&self) -> Check {
        match self {
            Self::Whole(_) => self.whole("bulkhead", 1.0, MOST_AT_ONCE),
            _ => instead("bulkhead", "so many calls at once"),
        }
    }

    fn no_breaker(&self) -> Check {
        instead("breaker", "no value")
    }

    fn rate(&self) -> Check {
        let Self::Text(text) = self else { return instead("rate_limit", "so many calls in a while") };
        let (calls, per) = parse_rate(text)?;
        if calls == 0 {
            return Err(format!("`{text}` lets no call through: write at least 1"));
        }
        positive("rate_limit", Some(per))
    }

    fn backoff(&self) -> Check {
        let Self::Text(text) = self else { return Ok(()) };
        let (first, longest) = parse_backoff(text)?;
        positive("backoff", Some(first))?;
        if longest < first {
            return Err("`backoff` begins with the shorter time: write `50ms..2s`".to_owned());
        }
        Ok(())
    }

    /// A time, or so many calls.
    fn window(&self) -> Check {
        match self {
            Self::Text(text) => match text.trim().parse::<u32>() {
                Ok(calls) => Self::Whole(f64::from(calls)).window(),
                Err(_) => self.some_time("window"),
            },
            Self::Whole(calls) if *calls < 1.0 || *calls > MOST_CALLS => {
                Err(format!("`window` is {calls} calls: write 1 to {MOST_CALLS}, or a time such as \"10s\""))
            }
            _ => Ok(()),
        }
    }
}

fn positive(key: &str, time: Option<Duration>) -> Check {
    if time.is_some_and(|time| time.is_zero()) {
        return Err(format!("`{key}` is 0: write at least `1ms`, or leave it out"));
    }
    Ok(())
}

fn instead(key: &str, takes: &str) -> Check {
    let example = part_example(key).unwrap_or_default();
    Err(format!("`{key}` takes {takes}: write {example}"))
}

#[cfg(test)]
mod tests {
    use syn::parse_str;

    use super::*;

    #[test]
    fn a_slip_in_a_value_is_told_and_what_is_right_is_not() {
        let right = [
            (None, "retry", "3"),
            (None, "retry", "TIMES"),
            (None, "timeout", "\"2s\""),
            (None, "timeout", "2"),
            (Some("retry"), "budget", "0.0"),
            (Some("breaker"), "window", "\"100\""),
            (Some("breaker"), "window", "10_000"),
            (Some("breaker"), "failure_rate", "1.0"),
            (Some("mine"), "failure_rate", "7"),
        ];
        for (part, key, value) in right {
            assert_eq!(check(part, key, &parse_str(value).unwrap()), Ok(()), "{key} = {value}");
        }
        let wrong = [
            (None, "retry", "\"3\""),
            (None, "retry", "-1"),
            (None, "breaker", "true"),
            (None, "bulkhead", "0"),
            (None, "rate_limit", "\"0/s\""),
            (None, "rate_limit", "\"1/0s\""),
            (None, "timeout", "\"0s\""),
            (Some("retry"), "backoff", "\"2s..1s\""),
            (Some("retry"), "budget", "1.5"),
            (Some("breaker"), "window", "10_001"),
            (Some("breaker"), "window", "\"0\""),
            (Some("breaker"), "failure_rate", "0.0"),
            (Some("breaker"), "failure_rate", "1"),
            (Some("breaker"), "trials", "2.5"),
            (Some("breaker"), "open_for", "\"5\""),
        ];
        for (part, key, value) in wrong {
            assert!(check(part, key, &parse_str(value).unwrap()).is_err(), "{key} = {value}");
        }
    }
}

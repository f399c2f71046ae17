//! Who may change something through the operations endpoints and the docs page.

use std::{fmt, hint::black_box, sync::Arc};

use axum::http::{HeaderMap, StatusCode, header};

use crate::{
    Result,
    config::{Mode, Settings},
    http::{context::bearer, problem},
    protocol::Fault,
};

/// The least that `ops.token` may be long: what is shorter can be tried out.
const LEAST_LENGTH: usize = 16;

/// What a request must bring that changes something, or that asks for what is not for everybody.
///
/// It stands in a header, `Authorization: Bearer …`, which no page of another origin can make a browser send.
#[derive(Clone)]
pub(crate) struct Token {
    /// `None`: nothing may be changed.
    text: Option<Arc<str>>,
    is_random: bool,
}

impl Token {
    /// The setting `ops.token`; else a random one in development, and none in production.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for one that is short enough to be tried out.
    pub(crate) fn read(settings: &Settings, mode: Mode) -> Result<Self> {
        match settings.get::<String>("ops.token")? {
            Some(text) if text.len() < LEAST_LENGTH => {
                Err(settings.refuse("ops.token", format!("it is too short: the least is {LEAST_LENGTH} characters")))
            }
            Some(text) => Ok(Self { text: Some(text.into()), is_random: false }),
            None if mode == Mode::Development => {
                Ok(Self { text: Some(uuid::Uuid::new_v4().simple().to_string().into()), is_random: true })
            }
            None => Ok(Self { text: None, is_random: false }),
        }
    }

    /// Why a request is not taken, for want of the token; `None`: it is.
    pub(crate) fn refusal(&self, headers: &HeaderMap) -> Option<Fault> {
        if self.text.is_none() {
            let text =
                "it needs a token, and there is none: set `ops.token` (KINOKO_OPS__TOKEN), 16 characters or more";
            let fault = problem::plain(StatusCode::FORBIDDEN, text);
            return Some(Fault { code: Some("NO_TOKEN_IS_SET".into()), ..fault });
        }
        (!self.check(headers)).then(|| {
            let text = "it needs the token: `Authorization: Bearer …`, as the program printed it at its start, or as `ops.token` says";
            problem::plain(StatusCode::UNAUTHORIZED, text)
        })
    }

    /// Whether a request brings it.
    ///
    /// Takes as long for a token that is nearly right as for one that is all wrong.
    fn check(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.text else { return false };
        let Some(value) = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) else {
            return false;
        };
        bearer(value).is_some_and(|given| is_same(token.as_bytes(), given.trim_end().as_bytes()))
    }

    /// The token, where the program made it itself: whoever reads its log may have it.
    pub(crate) fn to_print(&self) -> Option<&str> {
        self.text.as_deref().filter(|_| self.is_random)
    }
}

fn is_same(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |all, (a, b)| black_box(all | (a ^ b)));
    black_box(differences) == 0 && one.len() == other.len()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("is_random", &self.is_random).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;

    fn token(yaml: &str, mode: Mode) -> Token {
        Token::read(&Settings::from_yaml(yaml).unwrap(), mode).unwrap()
    }

    fn takes(token: &Token, authorization: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        token.check(&headers)
    }

    #[test]
    fn only_the_token_itself_is_taken() {
        let set = token("ops: {token: 0123456789abcdef}", Mode::Production);
        assert!(takes(&set, "Bearer 0123456789abcdef") && takes(&set, "bearer 0123456789abcdef"));
        let wrong =
            ["Bearer 0123456789abcdeg", "Bearer 0123456789abcde", "Bearer 0123456789abcdeff", "Basic 0123456789abcdef"];
        for wrong in wrong.into_iter().chain(["Bearer ", "0123456789abcdef"]) {
            assert!(!takes(&set, wrong), "{wrong}");
        }
        assert!(!set.check(&HeaderMap::new()));
        assert_eq!(set.to_print(), None);
        assert!(!format!("{set:?}").contains("0123456789abcdef"));
    }

    #[test]
    fn without_the_setting_there_is_one_in_development_alone() {
        let random = token("{}", Mode::Development);
        let printed = random.to_print().unwrap().to_owned();
        assert!(takes(&random, &format!("Bearer {printed}")));
        let none = token("{}", Mode::Production);
        assert!(!takes(&none, "Bearer ") && none.to_print().is_none());
        let refusal = none.refusal(&HeaderMap::new()).unwrap();
        assert_eq!(refusal.http, Some(403));
        assert!(refusal.value.contains("set `ops.token`"), "{refusal}");
        let short = Token::read(&Settings::from_yaml("ops: {token: secret}").unwrap(), Mode::Production).unwrap_err();
        assert!(short.to_string().contains("setting `ops.token`") && !short.to_string().contains("secret"), "{short}");
    }
}

//! Revocation is asked for every token, and what it does not answer lets nobody in.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use kinoko::{
    async_trait,
    auth::{Identity, Jwt, Key, Revocation},
    prelude::*,
    service::Service,
};
use serde_json::json;
use tokio::time::Instant;

use super::SECRET;

#[derive(Dependencies)]
struct Desk {
    #[allow(dead_code)]
    jwt: Jwt,
}

#[service(name = "revoked_desk")]
#[guard]
impl Desk {
    #[rpc]
    fn who(&self, #[inject] who: Identity) -> String {
        who.subject().into()
    }
}

#[derive(Clone, Default)]
struct List(Arc<AtomicU32>);

#[async_trait]
impl Revocation for List {
    async fn is_revoked(&self, token: &Identity) -> kinoko::Result<bool> {
        self.0.fetch_add(1, Ordering::Relaxed);
        match token.token_id() {
            Some("revoked") => Ok(true),
            Some("unknown") => Err(kinoko::Error::msg("the list cannot be reached")),
            Some("panics") => panic!("the list is broken"),
            Some("silent") => std::future::pending().await,
            _ => Ok(false),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_each_time_and_without_an_answer_nobody_gets_in() {
    let (jwt, list) = (Jwt::with_keys([Key::hs256(SECRET.as_bytes()).unwrap()]), List::default());
    jwt.revoked_by(list.clone()).unwrap();
    assert!(jwt.revoked_by(List::default()).is_err());
    assert_eq!(Desk::DESCRIPTOR.name, "revoked_desk");
    let desk = DeskClient::from_service(Desk { jwt: jwt.clone() });
    let token = |id: &str| jwt.issue(&json!({"sub": "ada", "jti": id})).sign().unwrap();
    let good = token("good");
    for _ in 0..3 {
        assert_eq!(desk.who().auth_token(&good).await.unwrap(), "ada");
    }
    assert_eq!(list.0.load(Ordering::Relaxed), 3, "also of a token that was verified before");
    assert!(matches!(desk.who().auth_token(&token("revoked")).await, Err(CallError::Unauthenticated(_))));
    for id in ["unknown", "panics", "silent"] {
        let began = Instant::now();
        match desk.who().auth_token(&token(id)).await {
            Err(CallError::Remote(fault)) => {
                let told = (fault.code.as_deref(), fault.http, fault.retryable);
                assert_eq!(told, (Some("AUTH_UNAVAILABLE"), Some(503), Some(true)));
                assert!(!fault.value.contains("list"), "{fault}");
            }
            other => panic!("{id}: {other:?}"),
        }
        assert!(began.elapsed().as_secs() <= 5, "{id}");
    }
}

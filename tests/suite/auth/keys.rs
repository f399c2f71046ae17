//! Keys that change: from a file, a URL, a source of the program's own.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use kinoko::{
    async_trait,
    auth::{Algorithm, Invalid, Jwt, Key, KeySource, Unverified},
    http::axum::{Router, routing::get},
    testing::TestApp,
};
use kinoko_tests::{Folder, eventually};
use serde_json::{Value, json};
use tokio::time::advance;

use super::{Behind, Vault, VaultClient};

/// Somebody else who issues tokens, with a key of this name.
fn issuer(kid: &str) -> Jwt {
    Jwt::with_keys([Key::generate(Algorithm::EdDSA).unwrap().with_kid(kid)])
}

fn token(issuer: &Jwt) -> String {
    issuer.issue(&json!({"sub": "ada"})).sign().unwrap()
}

fn jwks(issuers: &[&Jwt]) -> Value {
    let keys: Vec<Value> = issuers.iter().map(|issuer| issuer.jwks()["keys"][0].clone()).collect();
    json!({"keys": keys})
}

/// What is given, and how often it was asked for.
#[derive(Clone, Default)]
struct Source {
    given: Arc<Mutex<Option<Value>>>,
    asked: Arc<AtomicUsize>,
}

impl Source {
    fn give(&self, jwks: Option<Value>) {
        *self.given.lock().unwrap() = jwks;
    }
}

#[async_trait]
impl KeySource for Source {
    async fn keys(&self) -> kinoko::Result<Vec<Key>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let given = self.given.lock().unwrap().clone();
        let given = given.ok_or_else(|| kinoko::Error::msg("away"))?;
        given["keys"].as_array().unwrap().iter().map(|jwk| Ok(Key::from_jwk(jwk)?.unwrap())).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn keys_rotate_and_those_of_before_stay_through_an_outage() {
    let (old, new, forger) = (issuer("old"), issuer("new"), issuer("forged"));
    let (jwt, source) = (Jwt::with_keys([]), Source::default());
    source.give(Some(jwks(&[&old])));
    jwt.keys_from(source.clone()).unwrap();
    assert!(jwt.keys_from(Source::default()).is_err());
    let subject =
        async |token: &str| jwt.verify::<Value>(token).await.map(|claims| claims.identity().subject().to_owned());
    // The first one that nobody knows has them read.
    assert_eq!(subject(&token(&old)).await.unwrap(), "ada");
    assert_eq!(source.asked.load(Ordering::Relaxed), 1);

    // A new one, not published yet; and names that are made up. Neither asks again for ten seconds.
    for _ in 0..20 {
        let unknown = subject(&token(&forger)).await;
        assert!(matches!(unknown, Err(Unverified::Invalid(Invalid::UnknownKey))), "{unknown:?}");
    }
    assert_eq!(source.asked.load(Ordering::Relaxed), 1);
    source.give(Some(jwks(&[&old, &new])));
    assert!(subject(&token(&new)).await.is_err());
    advance(Duration::from_secs(11)).await;
    assert_eq!(subject(&token(&new)).await.unwrap(), "ada");
    assert_eq!(subject(&token(&old)).await.unwrap(), "ada");

    // Away: what was known stays.
    source.give(None);
    advance(Duration::from_secs(11)).await;
    assert!(subject(&token(&forger)).await.is_err());
    assert_eq!(subject(&token(&new)).await.unwrap(), "ada");

    // The old one is taken back, also for a token that was verified before.
    let known = token(&old);
    assert_eq!(subject(&known).await.unwrap(), "ada");
    source.give(Some(jwks(&[&new])));
    advance(Duration::from_secs(11)).await;
    assert!(subject(&token(&forger)).await.is_err());
    assert!(subject(&known).await.is_err());
    assert_eq!(subject(&token(&new)).await.unwrap(), "ada");
}

#[tokio::test]
async fn a_file_is_read_again() {
    let (old, new) = (issuer("old"), issuer("new"));
    let folder = Folder::new();
    let file = folder.join("jwks.json");
    std::fs::write(&file, jwks(&[&old]).to_string()).unwrap();
    let settings = format!("jwt: {{jwks: '{}', jwks_refresh: 20ms}}", file.display());
    let app = TestApp::new().service::<Vault>().service::<Behind>().yaml(&settings).start().await.unwrap();
    let vault = app.client::<VaultClient>();
    assert_eq!(vault.who().auth_token(&token(&old)).await.unwrap(), "ada");
    std::fs::write(&file, "{").unwrap();
    assert_eq!(vault.who().auth_token(&token(&old)).await.unwrap(), "ada");
    std::fs::write(&file, jwks(&[&new]).to_string()).unwrap();
    eventually(Duration::from_secs(20), "the new key", || async { vault.who().auth_token(&token(&new)).await.ok() })
        .await;
    assert!(vault.who().auth_token(&token(&old)).await.is_err());
    assert!(app.token(&json!({"sub": "ada"})).is_err(), "others sign");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_url_is_read_when_it_can_be() {
    let issuer = issuer("theirs");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    drop(listener);
    let settings = format!("jwt: {{jwks: '{url}', jwks_refresh: 20ms}}");
    let app = TestApp::new().service::<Vault>().service::<Behind>().yaml(&settings).start().await.unwrap();
    let vault = app.client::<VaultClient>();
    // Nobody answers there yet: the program is not ready, and says nobody's token is wrong.
    let unready = format!("{:?}", app.readiness());
    assert!(unready.contains("no keys to verify tokens with"), "{unready}");
    match vault.who().auth_token(&token(&issuer)).await {
        Err(kinoko::CallError::Remote(fault)) => assert_eq!(fault.code.as_deref(), Some("AUTH_UNAVAILABLE")),
        other => panic!("{other:?}"),
    }
    let body = Arc::new(Mutex::new((301_u16, String::new())));
    let answered = body.clone();
    let router = Router::new().route(
        "/jwks.json",
        get(async move || {
            let (status, body) = answered.lock().unwrap().clone();
            (kinoko::http::axum::http::StatusCode::from_u16(status).unwrap(), body)
        }),
    );
    let listener =
        tokio::net::TcpListener::bind(url.trim_start_matches("http://").trim_end_matches("/jwks.json")).await.unwrap();
    let server = tokio::spawn(async move { kinoko::http::axum::serve(listener, router).await });
    let secret = json!({"kty": "oct", "alg": "HS256", "k": "YSBzZWNyZXQgb2YgMzIgYnl0ZXMgYXQgdGhlIGxlYXN0"});
    for (status, wrong) in
        [(200, "no JSON".to_owned()), (200, json!({"keys": [secret]}).to_string()), (200, " ".repeat(300 * 1024))]
    {
        *body.lock().unwrap() = (status, wrong);
        assert!(vault.who().auth_token(&token(&issuer)).await.is_err());
    }
    *body.lock().unwrap() = (200, jwks(&[&issuer]).to_string());
    // Without any keys it is asked every ten seconds at most, and here more often.
    eventually(Duration::from_secs(30), "the keys", || async { vault.who().auth_token(&token(&issuer)).await.ok() })
        .await;
    assert!(app.readiness().is_ready());
    *body.lock().unwrap() = (500, String::new());
    server.abort();
    assert_eq!(vault.who().auth_token(&token(&issuer)).await.unwrap(), "ada");
    app.stop().await.unwrap();
}

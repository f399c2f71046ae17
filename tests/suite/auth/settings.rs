//! What the settings say, and what they may not.

use std::time::Duration;

use kinoko::{
    Settings,
    auth::{Algorithm, Jwt, Key},
    testing::TestApp,
};
use serde_json::{Value, json};

use super::{Behind, SECRET, Vault, VaultClient};

async fn refused(jwt: Value) -> String {
    let mut settings = Settings::default();
    settings.set("jwt", jwt);
    let app = TestApp::new().service::<Vault>().service::<Behind>().settings(settings).start().await;
    app.expect_err("it does not start").to_string()
}

#[tokio::test]
async fn keys_that_are_none_do_not_start_and_nothing_of_them_is_told() {
    let ed = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let (private, public) = (ed.serialize_pem(), ed.public_key_pem());
    for (jwt, said) in [
        (json!({"secret": "canary4711"}), "a secret of 10 bytes can be guessed"),
        (json!({"secret": public}), "the secret is a key in PEM"),
        (json!({"keys": [{"algorithm": "HS256", "secret": "canary4711"}]}), "number 0: "),
        (json!({"keys": [{"algorithm": "none", "secret": SECRET}]}), "`none` is no algorithm here"),
        (json!({"keys": [{"algorithm": "HS256"}]}), "HS256 takes a `secret`"),
        (json!({"keys": [{"algorithm": "HS256", "public_key": public}]}), "HS256 takes a `secret`"),
        (json!({"keys": [{"algorithm": "EdDSA", "secret": SECRET}]}), "EdDSA takes a `private_key`"),
        (json!({"keys": [{"algorithm": "EdDSA", "private_key": public}]}), "`private_key` is a public key"),
        (json!({"keys": [{"algorithm": "EdDSA", "public_key": private}]}), "`public_key` is a private key"),
        (json!({"keys": [{"algorithm": "RS256", "public_key": public}]}), "no public key for RS256"),
        (json!({"keys": [{"algorithm": "ES256", "public_key": p384.public_key_pem()}]}), "curve P-256"),
        (json!({"keys": [{"algorithm": "ES256", "private_key": p384.serialize_pem()}]}), "curve P-256"),
        (json!({"keys": [{"algorithm": "EdDSA", "public_key": "canary4711"}]}), "has to be PEM"),
        (json!({"keys": [{"algorithm": "EdDSA", "public_key_file": "no/such.pem"}]}), "no/such.pem"),
        (json!({"keys": [{"algorithm": "EdDSA", "public_key": public, "public_key_file": "x"}]}), "not both"),
        (json!({"keys": [{"algorithm": "EdDSA", "public_kye": public}]}), "jwt.keys"),
        (json!({"secret": SECRET, "sign_with": "main"}), "no key of `main` can sign"),
        (json!({"jwks": {"keys": []}}), "no key for"),
        (json!({"jwks": {"kyes": []}}), "no JWKS"),
        (json!({"secret": SECRET, "leeway": "soon"}), "jwt.leeway"),
        (json!({"secret": SECRET, "ttl": "0s"}), "longer than nothing"),
        (json!({"jwks": "no/such/jwks.json"}), "no/such/jwks.json"),
    ] {
        let error = refused(jwt.clone()).await;
        assert!(error.contains(said), "{jwt}: {error}");
        assert!(!error.contains("canary4711") && !error.contains("MC4CAQ"), "{error}");
    }
}

#[tokio::test]
async fn in_production_a_program_without_keys_does_not_start() {
    let app = |yaml: &str| TestApp::new().service::<Vault>().service::<Behind>().yaml(yaml);
    let error = app("mode: production").start().await.unwrap_err().to_string();
    assert!(error.contains("jwt.secret") && error.contains("openssl rand"), "{error}");
    // In development one is made up, the same for all services of the process.
    let app = app("mode: development").start().await.unwrap();
    let token = app.jwt("behind").unwrap().issue(&json!({"sub": "ada"})).sign().unwrap();
    assert_eq!(app.client::<VaultClient>().who().auth_token(&token).await.unwrap(), "ada");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_issued_has_what_the_settings_ask_for() {
    let app =
        super::with("issuer: [https://a.example, https://b.example], audience: shop, ttl: 2m, refresh_ttl: 1h").await;
    let jwt = app.jwt("vault").unwrap();
    let token = jwt.issue(&json!({"sub": "ada"})).sign().unwrap();
    let claims = jwt.verify::<Value>(&token).await.unwrap();
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("https://a.example"), &json!("shop")));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 120);
    let short = jwt.issue(&json!({"sub": "ada"})).ttl(Duration::from_secs(7)).sign().unwrap();
    let claims = jwt.verify::<Value>(&short).await.unwrap();
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 7);

    let pair = jwt.issue(&json!({"sub": "ada", "roles": ["x"]})).pair().unwrap();
    let refresh = jwt.refresh(&pair.refresh_token).await.unwrap();
    assert_eq!(refresh, pair.refresh);
    assert_eq!((refresh.subject.as_str(), pair.expires_in), ("ada", 120));
    let next = jwt.issue(&json!({"sub": "ada"})).family(&refresh.family).pair().unwrap();
    assert_eq!(next.refresh.family, refresh.family);
    assert_ne!(next.refresh.id, refresh.id);
    // One is no other.
    assert!(jwt.verify::<Value>(&pair.refresh_token).await.is_err());
    assert!(jwt.refresh(&pair.access_token).await.is_err());
    let vault = app.client::<VaultClient>();
    assert!(vault.who().auth_token(&pair.refresh_token).await.is_err());
    assert_eq!(vault.who().auth_token(&pair.access_token).await.unwrap(), "ada");

    for (claims, said) in
        [(json!({}), "`sub`"), (json!([1]), "a map or a struct"), (json!({"sub": "x".repeat(9000)}), "bytes")]
    {
        let error = jwt.issue(&claims).sign().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn every_algorithm_signs_and_publishes_its_public_half() {
    for algorithm in [Algorithm::ES256, Algorithm::EdDSA] {
        let jwt = Jwt::with_keys([Key::generate(algorithm).unwrap().with_kid("k1")]);
        let token = jwt.issue(&json!({"sub": "ada"})).sign().unwrap();
        let jwks = jwt.jwks();
        assert_eq!(jwks["keys"][0]["alg"], algorithm.name());
        assert!(jwks["keys"][0].get("d").is_none(), "{jwks}");
        let public = Key::from_jwk(&jwks["keys"][0]).unwrap().unwrap();
        assert!(!public.signs());
        let verifier = Jwt::with_keys([public]);
        assert_eq!(verifier.verify::<Value>(&token).await.unwrap().identity().subject(), "ada");
        assert!(verifier.issue(&json!({"sub": "ada"})).sign().unwrap_err().to_string().contains("no key can sign"));
    }
    let secret = Jwt::with_keys([Key::generate(Algorithm::HS256).unwrap()]);
    assert_eq!(secret.jwks(), json!({"keys": []}), "a secret is nobody else's");
    assert!(Key::generate(Algorithm::RS256).is_err());
}

#[tokio::test]
async fn a_token_that_was_verified_before_ends_when_its_time_is_over() {
    let app = super::with("leeway: 0s").await;
    let jwt = app.jwt("vault").unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let token = jwt.issue(&json!({"sub": "ada", "exp": now + 2})).sign().unwrap();
    assert!(jwt.verify::<Value>(&token).await.is_ok());
    let over = kinoko_tests::eventually(Duration::from_secs(10), "its end", || async {
        jwt.verify::<Value>(&token).await.err().map(|error| error.to_string())
    });
    assert!(over.await.contains("expired"));
    app.stop().await.unwrap();
}

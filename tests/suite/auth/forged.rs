//! Tokens that kinoko would never make, put together byte by byte, each beside a twin that differs in that one thing and passes.
//! What another library makes of it is in `pyjwt.rs`.

use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD};
use kinoko::{
    Value,
    auth::{Jwt, Unverified},
    prelude::*,
    testing::{RunningTestApp, TestApp},
};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use serde_json::json;

use super::{SECRET, Vault, VaultClient};

/// What signs.
#[derive(Clone, Copy)]
enum By<'a> {
    Secret(&'a [u8]),
    Ed,
    Es,
    /// The signature in DER, as X.509 has it and no token.
    EsDer,
    Nothing,
    Bytes(&'a [u8]),
}

struct Bench {
    ed: rcgen::KeyPair,
    es: rcgen::KeyPair,
    app: RunningTestApp,
    jwt: Jwt,
}

const HS: &str = r#"{"alg":"HS256","typ":"JWT","kid":"hs"}"#;
const ED: &str = r#"{"alg":"EdDSA","typ":"JWT","kid":"ed"}"#;
const ES: &str = r#"{"alg":"ES256","typ":"JWT","kid":"es"}"#;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Bench {
    async fn new() -> Self {
        let ed = rcgen::KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let es = rcgen::KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let keys = json!([
            {"algorithm": "HS256", "kid": "hs", "secret": SECRET},
            {"algorithm": "EdDSA", "kid": "ed", "public_key": ed.public_key_pem()},
            {"algorithm": "ES256", "kid": "es", "public_key": es.public_key_pem()},
        ]);
        let mut settings = Settings::default();
        settings.set("jwt", json!({"keys": keys, "issuer": "https://shop.example", "audience": "shop"}));
        let app = TestApp::new().service::<Vault>().service::<super::Behind>().settings(settings);
        let app = app.start().await.unwrap();
        let jwt = app.jwt("vault").unwrap();
        Self { ed, es, app, jwt }
    }

    fn sign(&self, by: By<'_>, bytes: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let es = |algorithm| {
            let pair = EcdsaKeyPair::from_pkcs8(algorithm, self.es.serialized_der(), &random).unwrap();
            pair.sign(&random, bytes).unwrap().as_ref().to_vec()
        };
        match by {
            By::Secret(secret) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), bytes).as_ref().to_vec(),
            By::Ed => Ed25519KeyPair::from_pkcs8_maybe_unchecked(self.ed.serialized_der())
                .unwrap()
                .sign(bytes)
                .as_ref()
                .to_vec(),
            By::Es => es(&ECDSA_P256_SHA256_FIXED_SIGNING),
            By::EsDer => es(&ECDSA_P256_SHA256_ASN1_SIGNING),
            By::Nothing => Vec::new(),
            By::Bytes(bytes) => bytes.to_vec(),
        }
    }

    fn token(&self, header: &str, claims: &str, by: By<'_>) -> String {
        let unsigned =
            format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(claims.as_bytes()));
        let signature = self.sign(by, unsigned.as_bytes());
        format!("{unsigned}.{}", BASE64URL_NOPAD.encode(&signature))
    }

    fn hs(&self, claims: &str) -> String {
        self.token(HS, claims, By::Secret(SECRET.as_bytes()))
    }

    /// Whether a call with it gets in, and why not, as the log has it.
    async fn fate(&self, token: &str) -> Result<(), String> {
        let called = self.app.client::<VaultClient>().who().auth_token(token).await;
        match (self.jwt.verify::<Value>(token).await, called) {
            (Ok(_), Ok(subject)) => {
                assert_eq!(subject, "ada");
                Ok(())
            }
            (Err(Unverified::Invalid(invalid)), Err(CallError::Unauthenticated(_))) => Err(invalid.to_string()),
            (verified, called) => panic!("{verified:?} {called:?}"),
        }
    }
}

/// The claims of a token that passes, with these in their place; `null` leaves one out.
fn claims(changed: Value) -> String {
    let mut claims = json!({
        "sub": "ada", "iss": "https://shop.example", "aud": "shop", "iat": now(), "exp": now() + 600, "jti": "1",
    });
    for (name, value) in changed.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims.to_string()
}

fn plain() -> String {
    claims(json!({}))
}

/// The last letter of a part, with a bit set that no byte has.
fn not_canonical(part: &str) -> String {
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = part.split_at(part.len() - 1);
    let place = LETTERS.find(last).unwrap();
    format!("{rest}{}", &LETTERS[place + 1..place + 2])
}

/// What was forged, how it is refused, the token, and its twin.
type Class = (&'static str, &'static str, String, String);

fn of_headers(bench: &Bench) -> Vec<Class> {
    let (plain, secret) = (plain(), By::Secret(SECRET.as_bytes()));
    let twin = || bench.hs(&plain);
    let with = |header: &str| bench.token(header, &plain, secret);
    let ed_pem = bench.ed.public_key_pem();
    let es_pem = bench.es.public_key_pem();
    let ed_raw = bench.ed.public_key_raw().to_vec();
    let mut classes = vec![
        ("alg none", "names an algorithm", bench.token(r#"{"alg":"none"}"#, &plain, By::Nothing), twin()),
        ("alg None", "another algorithm", bench.token(r#"{"alg":"None","kid":"hs"}"#, &plain, By::Nothing), twin()),
        ("alg NONE with a signature", "another algorithm", with(r#"{"alg":"NONE","kid":"hs"}"#), twin()),
        ("alg empty", "another algorithm", with(r#"{"alg":"","kid":"hs"}"#), twin()),
        ("no alg", "no `alg`", with(r#"{"kid":"hs"}"#), twin()),
        ("alg no text", "no `alg`", with(r#"{"alg":["HS256"],"kid":"hs"}"#), twin()),
        ("alg in other letters", "another algorithm", with(r#"{"alg":"hs256","kid":"hs"}"#), twin()),
        ("alg HS512 for a key of HS256", "another algorithm", with(r#"{"alg":"HS512","kid":"hs"}"#), twin()),
        (
            "alg HS256 with a key of EdDSA as the secret",
            "another algorithm",
            bench.token(r#"{"alg":"HS256","kid":"ed"}"#, &plain, By::Secret(ed_pem.as_bytes())),
            bench.token(ED, &plain, By::Ed),
        ),
        (
            "the same without a kid",
            "its signature",
            bench.token(r#"{"alg":"HS256"}"#, &plain, By::Secret(ed_pem.as_bytes())),
            bench.token(r#"{"alg":"HS256"}"#, &plain, secret),
        ),
        (
            "the raw bytes of a public key as the secret",
            "its signature",
            bench.token(r#"{"alg":"HS256"}"#, &plain, By::Secret(&ed_raw)),
            bench.token(r#"{"alg":"EdDSA"}"#, &plain, By::Ed),
        ),
        (
            "alg HS256 with a key of ES256 as the secret",
            "another algorithm",
            bench.token(r#"{"alg":"HS256","kid":"es"}"#, &plain, By::Secret(es_pem.as_bytes())),
            bench.token(ES, &plain, By::Es),
        ),
        (
            "alg of another key",
            "another algorithm",
            bench.token(r#"{"alg":"EdDSA","kid":"es"}"#, &plain, By::Ed),
            bench.token(ED, &plain, By::Ed),
        ),
        (
            "kid of another key",
            "its signature",
            bench.token(HS, &plain, By::Secret(b"another secret, of 32 bytes too .")),
            twin(),
        ),
        ("kid of nobody", "no key has its `kid`", with(r#"{"alg":"HS256","kid":"other"}"#), twin()),
        (
            "kid that is a path",
            "no key has its `kid`",
            bench.token(r#"{"alg":"HS256","kid":"../../../../dev/null"}"#, &plain, By::Secret(b"")),
            twin(),
        ),
        ("kid that is SQL", "no key has its `kid`", with(r#"{"alg":"HS256","kid":"x' UNION SELECT 'secret"}"#), twin()),
        (
            "kid that is a URL",
            "no key has its `kid`",
            with(r#"{"alg":"HS256","kid":"http://127.0.0.1:1/keys"}"#),
            twin(),
        ),
        ("kid of no text", "its `kid`", with(r#"{"alg":"HS256","kid":7}"#), twin()),
        ("kid null", "its `kid`", with(r#"{"alg":"HS256","kid":null}"#), twin()),
        ("kid empty", "no key has its `kid`", with(r#"{"alg":"HS256","kid":""}"#), twin()),
        ("crit", "`crit`", with(r#"{"alg":"HS256","kid":"hs","crit":["exp"]}"#), twin()),
        ("crit empty", "`crit`", with(r#"{"alg":"HS256","kid":"hs","crit":[]}"#), twin()),
        ("b64", "`b64`", with(r#"{"alg":"HS256","kid":"hs","b64":false}"#), twin()),
        ("zip", "`zip`", with(r#"{"alg":"HS256","kid":"hs","zip":"DEF"}"#), twin()),
        ("enc", "`enc`", with(r#"{"alg":"HS256","kid":"hs","enc":"A256GCM"}"#), twin()),
        ("doubled alg", "doubled", with(r#"{"alg":"HS256","kid":"hs","alg":"none"}"#), twin()),
        ("doubled alg, escaped", "doubled", with(r#"{"alg":"HS256","kid":"hs","\u0061lg":"none"}"#), twin()),
        ("doubled kid", "doubled", with(r#"{"alg":"HS256","kid":"other","kid":"hs"}"#), twin()),
        (
            "typ of a refresh token",
            "another kind",
            with(r#"{"alg":"HS256","kid":"hs","typ":"rt+jwt"}"#),
            with(r#"{"alg":"HS256","kid":"hs","typ":"at+jwt"}"#),
        ),
        (
            "typ of another use",
            "another kind",
            with(r#"{"alg":"HS256","kid":"hs","typ":"dpop+jwt"}"#),
            with(r#"{"alg":"HS256","kid":"hs"}"#),
        ),
        (
            "typ of no text",
            "`typ`",
            with(r#"{"alg":"HS256","kid":"hs","typ":{}}"#),
            with(r#"{"alg":"HS256","kid":"hs","typ":"application/at+jwt"}"#),
        ),
        ("a header that is a list", "its header", with(r#"["HS256"]"#), twin()),
        ("a header that is no JSON", "its header", with("HS256"), twin()),
        ("more behind the header", "its header", with(r#"{"alg":"HS256","kid":"hs"}{}"#), twin()),
        (
            "a header before which a BOM stands",
            "its header",
            with("\u{feff}{\"alg\":\"HS256\",\"kid\":\"hs\"}"),
            twin(),
        ),
    ];
    // Keys that a token brings along: of them its signature is right.
    let own = rcgen::KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let x = BASE64URL_NOPAD.encode(own.public_key_raw());
    let brought = [
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "ed", "alg": "EdDSA"})),
        ("jku", json!("http://127.0.0.1:1/jwks.json")),
        ("x5u", json!("http://127.0.0.1:1/cert.pem")),
        ("x5c", json!([BASE64.encode(own.public_key_raw())])),
    ];
    for (name, value) in brought {
        let header = json!({"alg": "EdDSA", "kid": "ed", name: value}).to_string();
        let unsigned =
            format!("{}.{}", BASE64URL_NOPAD.encode(header.as_bytes()), BASE64URL_NOPAD.encode(plain.as_bytes()));
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(own.serialized_der()).unwrap();
        let signature = BASE64URL_NOPAD.encode(pair.sign(unsigned.as_bytes()).as_ref());
        classes.push((name, "its signature", format!("{unsigned}.{signature}"), bench.token(&header, &plain, By::Ed)));
    }
    classes
}

fn of_signatures(bench: &Bench) -> Vec<Class> {
    let plain = plain();
    let (hs, ed, es) = (bench.hs(&plain), bench.token(ED, &plain, By::Ed), bench.token(ES, &plain, By::Es));
    let other = bench.hs(&claims(json!({"sub": "ada", "jti": "2"})));
    let split = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
    let (parts, others) = (split(&hs), split(&other));
    let join = |header: &str, payload: &str, signature: &str| format!("{header}.{payload}.{signature}");
    let raw = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
    let mut flipped = raw(&parts[2]);
    flipped[0] ^= 1;
    let mut longer = raw(&parts[2]);
    longer.push(0);
    vec![
        ("the payload of another token", "its signature", join(&parts[0], &others[1], &parts[2]), hs.clone()),
        (
            "the header of another token",
            "its signature",
            join(&split(&bench.token(r#"{"alg":"HS256"}"#, &plain, By::Nothing))[0], &parts[1], &parts[2]),
            hs.clone(),
        ),
        (
            "one bit of the signature",
            "its signature",
            join(&parts[0], &parts[1], &BASE64URL_NOPAD.encode(&flipped)),
            hs.clone(),
        ),
        (
            "half a signature",
            "its signature",
            join(&parts[0], &parts[1], &BASE64URL_NOPAD.encode(&raw(&parts[2])[..16])),
            hs.clone(),
        ),
        (
            "a signature with a byte more",
            "its signature",
            join(&parts[0], &parts[1], &BASE64URL_NOPAD.encode(&longer)),
            hs.clone(),
        ),
        ("no signature", "its signature", join(&parts[0], &parts[1], ""), hs.clone()),
        ("zeros as the signature", "its signature", bench.token(HS, &plain, By::Bytes(&[0; 32])), hs.clone()),
        ("ES256, zeros (CVE-2022-21449)", "its signature", bench.token(ES, &plain, By::Bytes(&[0; 64])), es.clone()),
        ("ES256 in DER", "its signature", bench.token(ES, &plain, By::EsDer), es.clone()),
        ("ES256, empty", "its signature", bench.token(ES, &plain, By::Nothing), es),
        ("EdDSA, zeros", "its signature", bench.token(ED, &plain, By::Bytes(&[0; 64])), ed.clone()),
        (
            "EdDSA, of another message",
            "its signature",
            bench.token(ED, &plain, By::Bytes(&raw(&split(&bench.token(ED, &claims(json!({"jti": "3"})), By::Ed))[2]))),
            ed,
        ),
        ("one part", "three parts", parts[0].clone(), hs.clone()),
        ("two parts", "three parts", format!("{}.{}", parts[0], parts[1]), hs.clone()),
        ("four parts", "three parts", format!("{hs}."), hs.clone()),
        ("five parts, as an encrypted one", "three parts", format!("{hs}.a.b"), hs.clone()),
        ("cut short", "its signature", hs[..hs.len() - 4].to_owned(), hs.clone()),
        ("padding", "not base64url", format!("{}=", hs), hs.clone()),
        (
            "padding in the payload",
            "not base64url",
            join(
                &parts[0],
                &BASE64URL.encode(format!("{} ", claims(json!({"jti": "10"}))).as_bytes()).replace('=', ""),
                "=",
            ),
            hs.clone(),
        ),
        (
            "base64 that is not for URLs",
            "not base64url",
            join(&parts[0], &parts[1], &BASE64.encode(&[0xfb; 32]).replace('=', "")),
            hs.clone(),
        ),
        ("bits that no byte has", "not base64url", join(&parts[0], &parts[1], &not_canonical(&parts[2])), hs.clone()),
        ("a line break within", "not base64url", join(&parts[0], &parts[1], &format!("{}\n", parts[2])), hs.clone()),
        ("a blank before it", "not base64url", format!(" {hs}"), hs.clone()),
        ("a NUL within", "not base64url", format!("{hs}\0"), hs.clone()),
        ("letters of no base64", "not base64url", join("ü", &parts[1], &parts[2]), hs.clone()),
        (
            "too large",
            "it has",
            bench.hs(&claims(json!({"pad": "x".repeat(8 * 1024)}))),
            bench.hs(&claims(json!({"pad": "x".repeat(4 * 1024)}))),
        ),
        ("empty", "three parts", String::new(), hs.clone()),
        ("dots alone", "its header", "..".to_owned(), hs),
    ]
}

fn of_claims(bench: &Bench) -> Vec<Class> {
    let with = |changed: Value| bench.hs(&claims(changed));
    let raw = |text: &str| bench.hs(&claims(json!({})).replacen('{', &format!("{{{text},"), 1));
    let twin = || with(json!({}));
    let (now, leeway) = (now(), 30);
    vec![
        ("expired", "expired", with(json!({"exp": now - leeway - 5})), with(json!({"exp": now - leeway + 15}))),
        ("expired long ago", "expired", with(json!({"exp": 0})), twin()),
        (
            "exp with a fraction, expired",
            "expired",
            with(json!({"exp": (now - leeway - 5) as f64 + 0.5})),
            with(json!({"exp": now as f64 + 60.5})),
        ),
        ("no exp", "`exp`", with(json!({"exp": null})), twin()),
        ("exp is a text", "`exp`", with(json!({"exp": (now + 600).to_string()})), twin()),
        ("exp is a list", "`exp`", with(json!({"exp": [now + 600]})), twin()),
        ("exp below zero", "`exp`", with(json!({"exp": -1})), twin()),
        ("exp beyond all time", "`exp`", with(json!({"exp": 1e300})), with(json!({"exp": 4_102_444_800_u64}))),
        ("exp that is no number", "payload", raw(r#""x":1e400"#), raw(r#""x":1e30"#)),
        ("nbf to come", "`nbf`", with(json!({"nbf": now + leeway + 60})), with(json!({"nbf": now + leeway - 15}))),
        ("nbf is a text", "`nbf`", with(json!({"nbf": "now"})), with(json!({"nbf": now}))),
        ("iat to come", "`iat`", with(json!({"iat": now + leeway + 60})), with(json!({"iat": now + leeway - 15}))),
        ("iat is true", "`iat`", with(json!({"iat": true})), with(json!({"iat": null}))),
        ("another issuer", "issuer", with(json!({"iss": "https://evil.example"})), twin()),
        ("no issuer", "issuer", with(json!({"iss": null})), twin()),
        ("an issuer that begins alike", "issuer", with(json!({"iss": "https://shop.example.evil.example"})), twin()),
        ("a list of issuers", "issuer", with(json!({"iss": ["https://shop.example"]})), twin()),
        ("for another audience", "for others", with(json!({"aud": "bank"})), twin()),
        ("for nobody", "for others", with(json!({"aud": null})), twin()),
        (
            "for a list without us",
            "for others",
            with(json!({"aud": ["bank", "shops"]})),
            with(json!({"aud": ["bank", "shop"]})),
        ),
        ("for an empty list", "for others", with(json!({"aud": []})), twin()),
        ("for a list with what is no text", "for others", with(json!({"aud": ["shop", 7]})), twin()),
        ("aud is an object", "for others", with(json!({"aud": {"shop": true}})), twin()),
        ("no sub", "`sub`", with(json!({"sub": null})), twin()),
        ("sub is a number", "`sub`", with(json!({"sub": 0})), twin()),
        ("sub is empty", "`sub`", with(json!({"sub": ""})), twin()),
        ("jti is a number", "`jti`", with(json!({"jti": 1})), with(json!({"jti": null}))),
        ("doubled exp", "doubled", raw(&format!(r#""exp":{}"#, now + 60)), twin()),
        ("doubled sub", "doubled", raw(r#""sub":"root""#), twin()),
        ("doubled sub, escaped", "doubled", raw(r#""\u0073ub":"root""#), raw(r#""\u0073ubs":"root""#)),
        ("doubled within", "doubled", raw(r#""x":{"a":1,"a":2}"#), raw(r#""x":{"a":1,"b":2}"#)),
        ("a payload that is a list", "its payload", bench.hs("[]"), twin()),
        ("a payload that is a text", "its payload", bench.hs(r#""ada""#), twin()),
        ("a payload that is empty", "its payload", bench.hs(""), twin()),
        (
            "more behind the payload",
            "its payload",
            bench.hs(&(claims(json!({})) + "x")),
            bench.hs(&(claims(json!({})) + " ")),
        ),
        (
            "nesting without end",
            "its payload",
            bench.hs(&claims(json!({})).replacen(
                '{',
                &format!("{{\"x\":{}{},", "[".repeat(1000), "]".repeat(1000)),
                1,
            )),
            raw(r#""x":[[[[]]]]"#),
        ),
    ]
}

#[tokio::test]
async fn each_forged_token_is_refused_and_its_twin_passes() {
    let bench = Bench::new().await;
    let mut classes = of_headers(&bench);
    classes.extend(of_signatures(&bench));
    classes.extend(of_claims(&bench));
    let mut wrong = Vec::new();
    for (class, reason, forged, twin) in &classes {
        match bench.fate(forged).await {
            Err(why) if why.contains(reason) => {}
            other => wrong.push(format!("{class}: {other:?}, and not {reason}")),
        }
        if let Err(why) = bench.fate(twin).await {
            wrong.push(format!("the twin of {class}: {why}"));
        }
        // Once more, now that its twin is known: nothing of it counts for another.
        if bench.fate(forged).await.is_ok() {
            wrong.push(format!("{class}, the second time"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(classes.len() >= 90, "{}", classes.len());
    bench.app.stop().await.unwrap();
}

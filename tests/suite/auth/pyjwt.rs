//! Tokens of another library, PyJWT, and forgeries of them, each beside a twin that differs in that one thing and passes.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use kinoko::{
    Settings, Value,
    auth::{Algorithm, Jwt, Key},
    prelude::*,
    testing::TestApp,
};
use serde_json::json;

use super::{Behind, Vault, VaultClient};

fn python(script: &str, input: &Value) -> Value {
    let python = std::env::var_os("KINOKO_TEST_PYTHON_JWT").expect("tests that need it are ignored without");
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(script);
    let mut command = Command::new(python);
    command.arg(script).env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python runs");
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().expect("python ends");
    assert!(output.status.success(), "it failed");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}

#[tokio::test]
#[cfg_attr(not(python_jwt), ignore = "needs Python with PyJWT: run ./test.sh")]
async fn what_pyjwt_signs_is_taken_and_what_is_forged_is_not() {
    let made = python("forge.py", &json!({}));
    let mut settings = Settings::default();
    settings.set("jwt", made["settings"].clone());
    let app = TestApp::new().service::<Vault>().service::<Behind>().settings(settings).start().await.unwrap();
    let vault = app.client::<VaultClient>();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (mut wrong, classes) = (Vec::new(), made["classes"].as_array().unwrap());
    for class in classes {
        for _ in 0..2 {
            let forged = vault.who().auth_token(&text(&class["forged"])).await;
            if !matches!(forged, Err(CallError::Unauthenticated(_))) {
                wrong.push(format!("{}: {forged:?}", class["class"]));
            }
            let twin = vault.who().auth_token(&text(&class["twin"])).await;
            if twin.as_deref().ok() != Some("ada") {
                wrong.push(format!("the twin of {}: {twin:?}", class["class"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(classes.len() >= 100, "{}", classes.len());
    app.stop().await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(python_jwt), ignore = "needs Python with PyJWT: run ./test.sh")]
async fn what_kinoko_signs_pyjwt_takes_by_the_jwks_that_kinoko_publishes() {
    // RSA keys are Python's own: ring makes none.
    let made = python("forge.py", &json!({}));
    let keys = made["private_keys"].as_array().unwrap().iter().map(|key| {
        let algorithm: Algorithm = key["algorithm"].as_str().unwrap().parse().unwrap();
        Key::from_pem(algorithm, key["private_key"].as_str().unwrap()).unwrap().with_kid(algorithm.name())
    });
    let keys: Vec<Key> = keys.collect();
    let jwks = Jwt::with_keys(keys.clone()).jwks();
    // The same numbers as Python writes.
    for (ours, theirs) in jwks["keys"].as_array().unwrap().iter().zip(made["jwks"]["keys"].as_array().unwrap()) {
        for part in ["n", "e", "x", "y", "crv"] {
            assert_eq!(ours.get(part), theirs.get(part), "{part}");
        }
    }
    let tokens = keys.iter().map(|key| Jwt::with_keys([key.clone()]).issue(&json!({"sub": "ada"})).sign().unwrap());
    let tokens: Vec<String> = tokens.collect();
    let claims = python("verify.py", &json!({"jwks": jwks, "tokens": tokens}));
    let subjects: Vec<_> = claims.as_array().unwrap().iter().map(|claims| claims["sub"].clone()).collect();
    assert_eq!(subjects, ["ada", "ada", "ada"]);
}

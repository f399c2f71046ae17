//! Requests that schemathesis makes from the document, and what it says of the answers.

use std::process::Output;

use kinoko::{
    auth::{Jwt, Key},
    service::Service,
};

use crate::{SECRET, broken::Broken, here, library::Library, output, python, said, served};

/// All checks, all operations, all kinds of requests, the same ones each time; `KINOKO_TEST_PROOF_EXAMPLES` says how many of each.
async fn tested<S: Service>(roles: &[&str]) -> Output {
    let examples = std::env::var("KINOKO_TEST_PROOF_EXAMPLES").unwrap_or_else(|_| "15".to_owned());
    let (app, address) = served::<S>("production").await;
    let mut command = python();
    command.args(["-m", "schemathesis.cli", "run", &format!("{address}/openapi.json")]);
    command.args([
        "--checks",
        "all",
        "--max-examples",
        &examples,
        "--seed",
        "1",
        "--continue-on-failure",
        "--no-color",
    ]);
    if !roles.is_empty() {
        let jwt = Jwt::with_keys([Key::hs256(SECRET.as_bytes()).unwrap()]);
        let token = jwt.issue(&serde_json::json!({"sub": "ada", "roles": roles})).sign().unwrap();
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    command.env("SCHEMATHESIS_HOOKS", "schemathesis_hooks").env("PYTHONPATH", here().join("python"));
    // It keeps what it has learnt where it runs.
    let folder = std::env::temp_dir().join(format!("kinoko-schemathesis-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder).unwrap();
    let output = output({
        command.current_dir(&folder);
        command
    })
    .await;
    std::fs::remove_dir_all(&folder).unwrap();
    app.stop().await.unwrap();
    output
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(python_http), ignore = "needs Python with schemathesis: run ./test.sh")]
#[allow(clippy::print_stdout, reason = "the proof shows what was tried")]
async fn schemathesis_finds_nothing_wrong() {
    let output = tested::<Library>(&[]).await;
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    println!("{said}");
    // Hidden ones are not in the document.
    assert!(said.contains("8 selected / 8 total"), "not all operations were tested: {said}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(python_http), ignore = "needs Python with schemathesis: run ./test.sh")]
#[allow(clippy::print_stdout, reason = "the proof shows what was tried")]
async fn schemathesis_finds_nothing_wrong_with_the_catalog() {
    let output = tested::<catalog::CatalogService>(&["admin"]).await;
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    println!("{said}");
    assert!(said.contains("4 selected / 4 total"), "not all operations were tested: {said}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(python_http), ignore = "needs Python with schemathesis: run ./test.sh")]
async fn schemathesis_finds_an_answer_that_breaks_its_schema() {
    let output = tested::<Broken>(&[]).await;
    let said = said(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("Response violates schema"), "{said}");
}

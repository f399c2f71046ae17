//! The documents of one service, as they are checked in. `KINOKO_TEST_OVERWRITE=1` writes them anew.

use std::{env, fs};

use serde_json::Value;

use crate::{here, library};

fn check(name: &str, document: &Value) {
    let file = here().join("fixtures").join(name);
    let text = format!("{document:#}\n");
    if env::var_os("KINOKO_TEST_OVERWRITE").is_some() {
        fs::write(&file, text).unwrap();
        return;
    }
    let known = fs::read_to_string(&file).unwrap();
    let changed = known.lines().zip(text.lines()).position(|(known, now)| known != now);
    assert!(
        known == text,
        "tests/fixtures/{name} is another document, from line {}: if that is meant, write it anew with KINOKO_TEST_OVERWRITE=1",
        changed.map_or(0, |line| line + 1)
    );
}

#[test]
fn the_openapi_document_is_as_it_was() {
    check("openapi.json", &library().openapi().unwrap());
}

#[test]
fn the_asyncapi_document_is_as_it_was() {
    check("asyncapi.json", &library().asyncapi().unwrap());
}

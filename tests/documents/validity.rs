use std::{
    io::Write,
    process::{Output, Stdio},
};

use serde_json::{Value, json};

use crate::{here, library, python, said, script};

fn checked(openapi: &Value, asyncapi: &Value) -> Output {
    let mut command = python();
    command.arg(script("check_documents.py")).arg(here().join("fixtures/asyncapi/3.0.0.json.gz"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(json!({ "openapi": openapi, "asyncapi": asyncapi }).to_string().as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

#[test]
#[cfg_attr(not(python_http), ignore = "needs Python with validators: run ./test.sh")]
fn both_documents_are_valid() {
    let output = checked(&library().openapi().unwrap(), &library().asyncapi().unwrap());
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
#[cfg_attr(not(python_http), ignore = "needs Python with validators: run ./test.sh")]
fn an_invalid_document_is_told_from_a_valid_one() {
    let (mut openapi, mut asyncapi) = (library().openapi().unwrap(), library().asyncapi().unwrap());
    openapi["paths"]["/api/books"]["get"]["parameters"][0]["in"] = "nowhere".into();
    asyncapi["operations"]["rpc.library.lend"]["action"] = "wait".into();
    let output = checked(&openapi, &asyncapi);
    let said = said(&output);
    assert!(!output.status.success());
    assert!(said.contains("openapi.json: $.paths") && said.contains("asyncapi.json: $.operations"), "{said}");
}

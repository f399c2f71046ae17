//! grpcio calls a service of kinoko's.

use kinoko::Value;
use kinoko_tests::soon;
use serde_json::json;

use super::{HOLDING, asked, python, warehouse};

/// Runs one case of `grpc_client.py` against a warehouse.
async fn case(name: &str, grpc: &str) -> Value {
    let app = warehouse(grpc).await;
    let address = app.grpc_address().unwrap().to_string();
    let answer = asked("grpc_client.py", vec![address, name.to_owned()]).await;
    app.stop().await.unwrap();
    answer
}

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with grpcio: run ./test.sh")]
async fn grpcio_calls_all_four_patterns() {
    let expected = json!({
        "unary": ["nut", 3],
        "client_stream": ["c", 6],
        "server_stream": [["nut", 1], ["nut", 2], ["nut", 3]],
        "bidi_stream": [["a", 2], ["b", 4]],
    });
    assert_eq!(case("patterns", "").await, expected);
}

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with grpcio: run ./test.sh")]
async fn metadata_and_deadlines_of_grpcio_are_the_workers_context() {
    let expected = json!({ "shard": "7", "tenant": "acme", "language": "de-CH", "has_deadline": true });
    assert_eq!(case("metadata", "").await, expected);
}

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with grpcio: run ./test.sh")]
async fn grpcio_tells_errors_apart_by_their_details() {
    let answer = case("errors", "").await;
    let typed = &answer["typed"];
    assert_eq!(typed["code"], "FAILED_PRECONDITION");
    assert_eq!(typed["message"], "only 2 left of nut");
    assert_eq!(typed["info"]["reason"], "OUT_OF_STOCK");
    assert_eq!(typed["info"]["domain"], "warehouse");
    let data: Value = serde_json::from_str(typed["info"]["metadata"]["data"].as_str().unwrap()).unwrap();
    assert_eq!(data, json!({ "sku": "nut", "left": 2 }));
    assert_eq!(answer["in_a_stream"]["seen"], json!([1, 2, 3]));
    assert_eq!(answer["in_a_stream"]["info"]["reason"], "OUT_OF_STOCK");
    assert_eq!(answer["no_such_method"]["code"], "UNIMPLEMENTED");
    assert_eq!(answer["no_such_service"]["code"], "UNIMPLEMENTED");
    assert_eq!(answer["not_a_message"]["code"], "INTERNAL");
}

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with grpcio: run ./test.sh")]
async fn what_grpcio_gives_up_ends_here_too() {
    let mut holding = HOLDING.subscribe();
    assert_eq!(case("late", "").await, json!("DEADLINE_EXCEEDED"));
    soon("it is dropped", holding.wait_for(|count| *count == 0)).await.unwrap();

    let app = warehouse("").await;
    let address = app.grpc_address().unwrap().to_string();
    let mut client = python("grpc_client.py").args([&address, "cancelled"]).spawn().expect("python runs");
    soon("it begins", holding.wait_for(|count| *count == 1)).await.unwrap();
    // Its end tells the client to cancel.
    drop(client.stdin.take());
    soon("it is dropped", holding.wait_for(|count| *count == 0)).await.unwrap();
    let output = client.wait_with_output().expect("python ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "\"CANCELLED\"");
    app.stop().await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with grpcio: run ./test.sh")]
async fn grpcio_checks_and_watches_health() {
    let expected = json!({
        "program": "SERVING", "service": "SERVING", "unknown": "NOT_FOUND",
        "watched": "SERVING", "watched_unknown": "SERVICE_UNKNOWN",
    });
    assert_eq!(case("health", "").await, expected);
}

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with grpcio: run ./test.sh")]
async fn grpcio_learns_by_reflection_what_is_served_and_calls_it() {
    let answer = case("reflection", "").await;
    let services: Vec<_> = answer["services"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(
        services.contains(&"warehouse.v1.Warehouse") && services.contains(&"grpc.health.v1.Health"),
        "{services:?}"
    );
    assert!(!services.contains(&"warehouse.v1.Attic"), "nobody serves it: {services:?}");
    assert_eq!(answer["file"], "warehouse.proto");
    assert_eq!(answer["methods"], json!(["Check", "Receive", "Watch", "Chat", "Reserve", "Hold", "Seen"]));
    assert_eq!(answer["called"], json!(["nut", 3]));
    let silent = case("reflection_off", "reflection: false").await;
    assert_eq!(silent, json!("UNIMPLEMENTED"));
}

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with grpcio: run ./test.sh")]
async fn grpcio_compresses_and_is_told_what_is_too_large() {
    let answer = case("sizes", "max_message_bytes: 10000").await;
    // What is compressed counts by what it is unpacked.
    let expected = json!({ "gzip": 5000, "gzip_answered": "gzip", "too_large": "RESOURCE_EXHAUSTED", "too_large_in_a_stream": "RESOURCE_EXHAUSTED", "bomb": "RESOURCE_EXHAUSTED" });
    assert_eq!(answer, expected);
}

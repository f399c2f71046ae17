//! nameko-grpc on either side: what it calls context data arrives as such.

use kinoko::grpc::GrpcClient;
use serde_json::json;

use super::{Article, Server, Warehouse, asked, warehouse};

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with nameko-grpc: run ./test.sh")]
async fn a_client_of_nameko_grpc_calls_with_its_context_data() {
    let app = warehouse("").await;
    let address = app.grpc_address().unwrap();
    let answer = asked("grpc_nameko.py", vec!["call".to_owned(), address.port().to_string()]).await;
    let expected = json!({ "check": ["nut", 3], "tenant": "acme", "language": "de-CH", "error": ["FAILED_PRECONDITION", "only 2 left of nut"] });
    assert_eq!(answer, expected);
    app.stop().await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with nameko-grpc: run ./test.sh")]
async fn a_service_of_nameko_grpc_is_called_with_context_data() {
    let server = Server::start("grpc_nameko.py", &["serve"]).await;
    let client = GrpcClient::<Warehouse>::connect(&server.address).unwrap();
    assert_eq!(client.check(Article { sku: "nut".to_owned() }).await.unwrap().count, 3);
    let seen = client.seen(()).context("tenant", "acme").await.unwrap();
    assert_eq!(&*seen.tenant, "acme");
}

//! TLS and mutual TLS with grpcio.

use std::path::Path;

use kinoko::{Settings, grpc::GrpcClient, prelude::*};
use kinoko_tests::{Authority, Folder, write_pem};
use serde_json::json;

use super::{Article, Server, Warehouse, asked, warehouse};

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with grpcio: run ./test.sh")]
async fn grpcio_calls_by_tls_and_shows_its_certificate_where_it_is_asked_for_one() {
    let (folder, authority) = (Folder::new(), Authority::new("a CA"));
    let ca = write_pem(&folder, &authority.pem);
    let server = authority.issue(&["localhost", "127.0.0.1"], |_| {});
    let (certificate, key) = server.write(&folder);
    let (client_certificate, client_key) = authority.issue(&["client"], |_| {}).write(&folder);
    for mutual in [false, true] {
        let client_ca = if mutual { format!(", client_ca: {}", ca.display()) } else { String::new() };
        let tls = format!("tls: {{certificate: {}, key: {}{client_ca}}}", certificate.display(), key.display());
        let app = warehouse(&tls).await;
        let address = format!("localhost:{}", app.grpc_address().unwrap().port());
        let files = [&ca, &client_certificate, &client_key].map(|path| text(path));
        let arguments = [vec![address, "tls".to_owned()], files.to_vec()].concat();
        let answer = asked("grpc_client.py", arguments).await;
        let without = if mutual { json!("UNAVAILABLE") } else { json!(["nut", 3]) };
        let expected = json!({ "with": ["nut", 3], "without": without, "plain": "UNAVAILABLE" });
        assert_eq!(answer, expected, "mutual: {mutual}");
        app.stop().await.unwrap();
    }
}

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with grpcio: run ./test.sh")]
async fn grpcio_is_called_by_tls_with_a_certificate_that_it_asks_for() {
    let (folder, authority) = (Folder::new(), Authority::new("a CA"));
    let ca = write_pem(&folder, &authority.pem);
    let (server_certificate, server_key) = authority.issue(&["localhost"], |_| {}).write(&folder);
    let (certificate, key) = authority.issue(&["client"], |_| {}).write(&folder);
    let files = [&ca, &server_certificate, &server_key].map(|path| text(path));
    let server = Server::start("grpc_server.py", &files.each_ref().map(String::as_str)).await;
    let address = server.address.replace("http://127.0.0.1", "https://localhost");
    let known = format!(", certificate: {}, key: {}", certificate.display(), key.display());
    for (identity, is_taken) in [(&*known, true), ("", false)] {
        let yaml = format!("grpc: {{client: {{tls: {{ca: {}{identity}}}}}}}", ca.display());
        let settings = Settings::from_yaml(&yaml).unwrap();
        let client = GrpcClient::<Warehouse>::connect_with(&address, &settings).unwrap();
        let answer = client.check(Article { sku: "nut".to_owned() }).await;
        assert_eq!(answer.is_ok(), is_taken, "{answer:?}");
        assert!(
            is_taken || matches!(answer, Err(CallError::Unavailable(_) | CallError::ReplyChannelLost)),
            "{answer:?}"
        );
    }
    // Nobody has told it of this CA.
    let stranger = GrpcClient::<Warehouse>::connect(&address).unwrap();
    let error = stranger.check(Article::default()).await.unwrap_err();
    assert!(matches!(error, CallError::Unavailable(_)), "{error:?}");
}

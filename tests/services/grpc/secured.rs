//! TLS and mutual TLS with grpcio.

use kinoko_tests::{Authority, Folder};
use serde_json::json;

use super::{asked, warehouse};

#[tokio::test]
#[cfg_attr(not(python_grpc), ignore = "needs Python with grpcio: run ./test.sh")]
async fn grpcio_calls_by_tls_and_shows_its_certificate_where_it_is_asked_for_one() {
    let (folder, authority) = (Folder::new(), Authority::new("a CA"));
    let ca = kinoko_tests::write_pem(&folder, &authority.pem);
    let server = authority.issue(&["localhost", "127.0.0.1"], |_| {});
    let (certificate, key) = server.write(&folder);
    let (client_certificate, client_key) = authority.issue(&["client"], |_| {}).write(&folder);
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    for mutual in [false, true] {
        let client_ca = if mutual { format!(", client_ca: {}", ca.display()) } else { String::new() };
        let yaml =
            format!("grpc: {{tls: {{certificate: {}, key: {}{client_ca}}}}}", certificate.display(), key.display());
        let app = warehouse(&yaml).await;
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

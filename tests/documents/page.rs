use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{artifacts, library::Library, output, python, said, script, served};

/// The browser finds no host but this program's: see the script.
#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(browser), ignore = "needs Python with playwright, and Chromium: run ./test.sh")]
async fn the_docs_page_is_read_and_sends_in_a_browser_that_is_cut_off() {
    let (app, address) = served::<Library>("development").await;
    let artifacts = artifacts();
    std::fs::create_dir_all(&artifacts).unwrap();
    let mut command = python();
    command.arg(script("docs_page.py")).arg(&address).arg(artifacts.join("docs-page.png"));
    let output = output(command).await;
    assert!(output.status.success(), "{}", said(&output));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn who_may_send_is_told_in_the_page_and_by_its_routes() {
    for (mode, host, sends) in
        [("production", "127.0.0.1", false), ("development", "127.0.0.1", true), ("development", "evil.example", false)]
    {
        let (app, address) = served::<Library>(mode).await;
        let page = answer(&address, &format!("GET /docs HTTP/1.1\r\nhost: {host}")).await;
        assert_eq!(page.contains("data-sending=\"true\""), sends, "{mode}, {host}: {page}");
        assert_eq!(page.contains("data-token=\"\""), !sends, "{mode}, {host}: {page}");
        let send = format!("POST /docs/send/rpc HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0");
        let status = match (mode, sends) {
            ("production", _) => "404",
            (_, false) => "403",
            (_, true) => "401",
        };
        let answer = answer(&address, &send).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{mode}, {host}: {answer}");
        app.stop().await.unwrap();
    }
}

/// What a request is answered with, head and body.
async fn answer(address: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).await.unwrap();
    stream.write_all(format!("{head}\r\nconnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

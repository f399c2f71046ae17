//! What `/health/ready` says of a real broker.

use std::{net::SocketAddr, time::Duration};

use kinoko::prelude::*;
use kinoko_tests::{Direction, Proxy, amqp_uri, eventually, soon};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[derive(Dependencies)]
struct Ready;

#[service(name = "health_ready")]
impl Ready {
    #[rpc]
    fn nothing(&self) {}
}

async fn ready(address: SocketAddr) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /health/ready HTTP/1.1\r\nhost: k\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    soon("an answer", stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs a broker: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_program_is_unready_while_its_broker_is_away_and_says_why() {
    let uri = amqp_uri();
    let proxy = Proxy::to(&uri);
    let mut settings = Settings::default();
    settings.set("ops.address", "127.0.0.1:0");
    let app = App::new().service::<Ready>().broker(proxy.uri(&uri)).settings(settings).start().await.unwrap();
    let address = app.ops_address().unwrap();
    assert_eq!(ready(address).await.0, 200);

    proxy.hold(Direction::ToBroker);
    proxy.cut();
    let limit = Duration::from_secs(20);
    let away = || async {
        let (status, report) = ready(address).await;
        (status == 503).then_some(report)
    };
    let report = eventually(limit, "503", away).await;
    assert_eq!((&report["status"], &report["phase"]), (&"not ready".into(), &"running".into()), "{report}");
    assert_eq!((&report["broker"]["ready"], &report["broker"]["state"]), (&false.into(), &"connecting".into()));
    assert!(report["reasons"][0].as_str().unwrap().contains("no connection to amqp://"), "{report}");

    proxy.release();
    eventually(limit, "200", || async { (ready(address).await.0 == 200).then_some(()) }).await;
    let (_, report) = ready(address).await;
    assert!(report["interruptions"].as_u64().unwrap() > 0, "{report}");
    app.stop().await.unwrap();
}

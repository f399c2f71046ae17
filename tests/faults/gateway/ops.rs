//! The operations endpoints of the payments, as their operator asks them.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use kinoko_tests::soon;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

pub(super) struct Ops {
    address: SocketAddr,
}

impl Ops {
    pub(super) const TOKEN: &str = "a token for operators";

    pub(super) fn at(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Asks until the gateway's circuit is like that, every 5 ms. How long it took since then.
    pub(super) async fn circuit_is(&self, wanted: &str, since: Instant) -> Duration {
        loop {
            let answer = self.ask("GET /policies", "").await;
            let policies = answer["policies"].as_array().unwrap();
            let gateway = policies.iter().find(|policy| policy["name"] == "gateway").unwrap();
            if gateway["circuit"]["state"] == wanted {
                return since.elapsed();
            }
            assert!(since.elapsed() < Duration::from_secs(30), "it is not {wanted}: {gateway}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// `closed` holds the circuit closed, `automatic` leaves it to itself.
    pub(super) async fn hold_circuit(&self, how: &str) {
        let body = format!("{{\"circuit\": \"{how}\"}}");
        let answer = self.ask("PUT /policies/payments/gateway", &body).await;
        assert_eq!(answer["name"], "gateway", "{answer}");
    }

    async fn ask(&self, request: &str, body: &str) -> Value {
        let ask = async {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            let (token, length) = (Self::TOKEN, body.len());
            let head = format!(
                "{request} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all((head + body).as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let answer = soon("an answer", ask).await;
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1)
            .unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}

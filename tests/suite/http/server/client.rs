//! HTTP/1.1 by hand.

use std::{fmt, net::SocketAddr, time::Duration};

use kinoko_tests::soon;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

/// One connection.
pub(super) struct Wire<S = TcpStream> {
    stream: S,
    read: Vec<u8>,
}

/// An answer, whole.
pub(super) struct Answer {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
}

impl Wire {
    pub(super) async fn to(address: SocketAddr) -> Self {
        Self::over(soon("a connection", TcpStream::connect(address)).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn over(stream: S) -> Self {
        Self { stream, read: Vec::new() }
    }

    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Reads more; `false` where the other side has closed.
    async fn more(&mut self) -> bool {
        let mut buffer = vec![0; 131_072];
        let count = soon("bytes, or the end", self.stream.read(&mut buffer)).await.unwrap_or(0);
        self.read.extend_from_slice(&buffer[..count]);
        count > 0
    }

    /// Waits until the other side closes, and returns how many bytes came before.
    pub(super) async fn closed(&mut self) -> usize {
        while self.more().await {}
        self.read.len()
    }

    /// What has come so far, up to one read more: how many bytes.
    pub(super) async fn take_some(&mut self) -> usize {
        self.more().await;
        std::mem::take(&mut self.read).len()
    }

    /// What has come when this text has.
    pub(super) async fn until(&mut self, text: &str) -> String {
        loop {
            let come = String::from_utf8_lossy(&self.read).into_owned();
            // To the end of its line.
            if come.split_once(text).is_some_and(|(_, rest)| rest.contains('\n')) {
                return come;
            }
            assert!(self.more().await, "the end came before `{text}`: {come}");
        }
    }

    /// The head of an answer, the empty line included.
    pub(super) async fn read_head(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = self.read.split_off(end + 4);
                return String::from_utf8(std::mem::replace(&mut self.read, rest)).unwrap();
            }
            assert!(
                self.more().await,
                "the connection closed before an answer: {:?}",
                String::from_utf8_lossy(&self.read)
            );
        }
    }

    pub(super) async fn answer(&mut self) -> Answer {
        let head = self.read_head().await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: Vec::new() };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = self.chunks().await;
        } else {
            let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
            answer.body = self.take(length).await;
        }
        answer
    }

    async fn take(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length {
            assert!(self.more().await, "the connection closed within a body");
        }
        let rest = self.read.split_off(length);
        std::mem::replace(&mut self.read, rest)
    }

    async fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                match self.read.windows(2).position(|window| window == b"\r\n") {
                    Some(end) => break end,
                    None => assert!(self.more().await, "the connection closed within a body"),
                }
            };
            let line = self.take(end + 2).await;
            let length = usize::from_str_radix(std::str::from_utf8(&line).unwrap().trim(), 16).unwrap();
            let chunk = self.take(length + 2).await;
            if length == 0 {
                return body;
            }
            body.extend_from_slice(&chunk[..length]);
        }
    }

    pub(super) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request).await;
        self.answer().await
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.ask(format!("GET {path} HTTP/1.1\r\nhost: kinoko\r\n\r\n")).await
    }
}

/// One request over a connection of its own.
pub(super) async fn get(address: SocketAddr, path: &str) -> Answer {
    Wire::to(address).await.get(path).await
}

/// Whether nobody listens there.
pub(super) async fn is_refused(address: SocketAddr) -> bool {
    tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address)).await.is_ok_and(|result| result.is_err())
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.head, self.text())
    }
}

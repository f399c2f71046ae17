use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufStream},
    net::TcpStream,
};

use crate::soon;

/// A websocket over TCP by hand: it answers nothing by itself, and sends what a client library would not.
#[derive(Debug)]
pub struct RawSocket {
    stream: BufStream<TcpStream>,
}

/// One frame from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A whole message.
    Text(String),
    /// With its code and its reason.
    Close(u16, String),
    /// What asks whether anybody is there.
    Ping(Vec<u8>),
    /// The connection has ended.
    End,
}

impl RawSocket {
    /// Connects, and reads the event `connected`.
    ///
    /// # Panics
    ///
    /// Where it is refused.
    pub async fn connect(address: SocketAddr, path: &str) -> Self {
        let stream = soon("a connection", TcpStream::connect(address)).await.expect("somebody listens");
        let mut socket = Self { stream: BufStream::new(stream) };
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        socket.write(request.as_bytes()).await;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon("the head", socket.stream.read_u8()).await.expect("an answer"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        let first = socket.next().await;
        assert!(matches!(&first, Frame::Text(text) if text.contains("\"connected\"")), "{first:?}");
        socket
    }

    /// Sends bytes as they are.
    ///
    /// # Panics
    ///
    /// When the connection has ended.
    pub async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the connection is there");
        self.stream.flush().await.expect("the connection is there");
    }

    /// Sends a text.
    ///
    /// # Panics
    ///
    /// As [`write`](Self::write).
    pub async fn send(&mut self, text: &str) {
        self.frame(0x81, text.as_bytes()).await;
    }

    /// Sends a frame with this first byte, masked as a client's has to be.
    ///
    /// # Panics
    ///
    /// As [`write`](Self::write).
    pub async fn frame(&mut self, first: u8, payload: &[u8]) {
        let mut bytes = vec![first];
        match payload.len() {
            length @ ..126 => bytes.push(0x80 | length as u8),
            length => {
                bytes.push(0x80 | 126);
                bytes.extend(u16::try_from(length).expect("a short payload").to_be_bytes());
            }
        }
        // A mask of zeros changes nothing.
        bytes.extend([0; 4]);
        bytes.extend(payload);
        self.write(&bytes).await;
    }

    /// The next frame, which must come soon.
    ///
    /// # Panics
    ///
    /// When none comes, and for one that a server does not send.
    pub async fn next(&mut self) -> Frame {
        soon("a frame", self.read()).await
    }

    async fn read(&mut self) -> Frame {
        let Ok(first) = self.stream.read_u8().await else { return Frame::End };
        let length = match self.stream.read_u8().await.expect("a length") {
            126 => self.stream.read_u16().await.expect("a length").into(),
            127 => self.stream.read_u64().await.expect("a length"),
            short => short.into(),
        };
        let mut payload = vec![0; usize::try_from(length).expect("a short payload")];
        self.stream.read_exact(&mut payload).await.expect("the payload");
        match first {
            0x81 => Frame::Text(String::from_utf8(payload).expect("UTF-8")),
            0x88 => {
                let reason = payload.split_off(2);
                let code = u16::from_be_bytes([payload[0], payload[1]]);
                Frame::Close(code, String::from_utf8(reason).expect("UTF-8"))
            }
            0x89 => Frame::Ping(payload),
            other => panic!("a frame that begins with {other:#x}"),
        }
    }
}

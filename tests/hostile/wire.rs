//! AMQP as bytes: a publisher whose names need not be text, which no client library sends. It blocks, as its tests may.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::generator::Shot;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const HEARTBEAT: u8 = 8;

/// A connection with one channel.
pub(crate) struct WirePublisher {
    stream: TcpStream,
}

impl WirePublisher {
    /// Connects as `guest`, or as whom the URL names.
    pub(crate) fn connect(uri: &str) -> Self {
        let rest = uri.trim_start_matches("amqp://").split('/').next().unwrap_or_default();
        let (user, address) = rest.rsplit_once('@').unwrap_or(("guest:guest", rest));
        let (name, password) = user.split_once(':').unwrap_or((user, "guest"));
        let address = if address.contains(':') { address.to_owned() } else { format!("{address}:5672") };
        let mut this = Self { stream: TcpStream::connect(address).expect("the broker is there") };
        this.stream.write_all(b"AMQP\0\0\x09\x01").unwrap();
        this.method(&[10, 10]);
        let secret = format!("\0{name}\0{password}");
        this.send(
            0,
            METHOD,
            &[&[0, 10, 0, 11, 0, 0, 0, 0], &*short(b"PLAIN"), &long(secret.as_bytes()), &short(b"en")].concat(),
        );
        this.method(&[10, 30]);
        // No heartbeats, frames as large as the broker's.
        this.send(0, METHOD, &[0, 10, 0, 31, 0, 10, 0, 2, 0, 0, 0, 0]);
        this.send(0, METHOD, &[&[0, 10, 0, 40][..], &short(b"/"), &[0, 0]].concat());
        this.method(&[10, 41]);
        this.send(1, METHOD, &[0, 20, 0, 10, 0]);
        this.method(&[20, 11]);
        this
    }

    fn send(&mut self, channel: u8, kind: u8, payload: &[u8]) {
        self.stream.write_all(&frame(channel, kind, payload)).expect("the broker reads");
    }

    /// Waits for a method of the broker.
    fn method(&mut self, expected: &[u8; 2]) -> Vec<u8> {
        loop {
            let mut head = [0; 7];
            self.stream.read_exact(&mut head).expect("the broker answers");
            let mut payload = vec![0; u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize + 1];
            self.stream.read_exact(&mut payload).expect("the broker answers");
            if head[0] != HEARTBEAT {
                assert_eq!([payload[1], payload[3]], *expected, "{}", String::from_utf8_lossy(&payload));
                return payload;
            }
        }
    }

    /// Publishes and does not wait.
    pub(crate) fn publish(&mut self, shot: &Shot, service: &str, id: usize, reply_to: &str) {
        let (exchange, routing_key) = match shot.short_path {
            true => (b"".as_slice(), format!("kinoko.rpc-{service}").into_bytes()),
            // A dot would be a key that the queue is not bound with.
            false => (b"nameko-rpc".as_slice(), key(service, &shot.method)),
        };
        let mut flags = 0_u16;
        let mut properties = Vec::new();
        let mut property = |bit: u16, value: Option<Vec<u8>>| {
            if let Some(value) = value {
                flags |= 1 << bit;
                properties.extend(value);
            }
        };
        property(15, shot.content_type.as_deref().map(short));
        property(14, shot.content_encoding.as_deref().map(short));
        property(13, shot.headers.as_deref().map(long));
        property(10, Some(short(id.to_string().as_bytes())));
        property(9, shot.wants_answer.then(|| short(reply_to.as_bytes())));
        property(8, shot.expiration_ms.map(|ms| short(ms.to_string().as_bytes())));
        property(6, shot.timestamp.map(|at| at.to_be_bytes().to_vec()));
        property(5, shot.short_path.then(|| short(&shot.method)));
        property(3, shot.app_id.as_deref().map(short));
        property(2, shot.cluster_id.as_deref().map(short));
        let publish = [&[0, 60, 0, 40, 0, 0], &*short(exchange), &short(&routing_key), &[0]].concat();
        let size = (shot.body.len() as u64).to_be_bytes();
        let header = [&[0, 60, 0, 0], &size[..], &flags.to_be_bytes(), &properties].concat();
        let mut out = [frame(1, METHOD, &publish), frame(1, HEADER, &header)].concat();
        for part in shot.body.chunks(100_000) {
            out.extend(frame(1, BODY, part));
        }
        self.stream.write_all(&out).expect("the broker reads");
    }

    /// Waits until the broker has all that was published.
    pub(crate) fn flushed(&mut self) {
        // basic.qos: a question that changes nothing.
        self.send(1, METHOD, &[0, 60, 0, 10, 0, 0, 0, 0, 0, 0, 0]);
        self.method(&[60, 11]);
    }
}

fn frame(channel: u8, kind: u8, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).expect("one frame").to_be_bytes();
    [&[kind, 0, channel], &size[..], payload, &[0xce]].concat()
}

fn short(text: &[u8]) -> Vec<u8> {
    let text = &text[..text.len().min(255)];
    [&[u8::try_from(text.len()).expect("cut")][..], text].concat()
}

fn long(text: &[u8]) -> Vec<u8> {
    [&u32::try_from(text.len()).expect("one frame").to_be_bytes()[..], text].concat()
}

fn key(service: &str, method: &[u8]) -> Vec<u8> {
    let method = method.iter().map(|byte| if *byte == b'.' { b',' } else { *byte });
    format!("{service}.").into_bytes().into_iter().chain(method).take(255).collect()
}

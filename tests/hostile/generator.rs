//! Random messages from a seed: valid ones, what is left of valid ones, and what never was one.

use fastrand::Rng;
use kinoko::protocol::{Message, Properties, Value};

/// One message, before it is clear how it travels. Names are bytes: over AMQP they need not be text.
#[derive(Debug, Default)]
pub(crate) struct Shot {
    pub(crate) short_path: bool,
    pub(crate) method: Vec<u8>,
    pub(crate) content_type: Option<Vec<u8>>,
    pub(crate) content_encoding: Option<Vec<u8>>,
    pub(crate) app_id: Option<Vec<u8>>,
    pub(crate) cluster_id: Option<Vec<u8>>,
    pub(crate) expiration_ms: Option<u32>,
    pub(crate) timestamp: Option<u64>,
    /// A table as it is on the wire, without its length.
    pub(crate) headers: Option<Vec<u8>>,
    pub(crate) body: Vec<u8>,
    /// Whether it says where its answer goes.
    pub(crate) wants_answer: bool,
}

impl Shot {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let json = rng.bool();
        let method = match rng.u8(..12) {
            0 => bytes(rng, 200),
            1 => b"no_such".to_vec(),
            2 => b"context".to_vec(),
            3..6 => b"echo".to_vec(),
            6..8 => b"borrowed".to_vec(),
            _ => b"typed".to_vec(),
        };
        let wants_answer = rng.u8(..10) > 0;
        Self {
            short_path: rng.bool(),
            content_type: match rng.u8(..20) {
                0 => None,
                1 => Some(bytes(rng, 255)),
                // The other codec's.
                2 => Some(content_type(!json)),
                3 => Some([content_type(json), b"; ".to_vec(), bytes(rng, 100)].concat()),
                _ => Some(content_type(json)),
            },
            content_encoding: rng.bool().then(|| bytes(rng, 20)),
            app_id: (rng.u8(..4) == 0).then(|| stack(rng)),
            cluster_id: (rng.u8(..4) == 0).then(|| bytes(rng, 255)),
            // With an answer to come it must not expire first.
            expiration_ms: match rng.u8(..4) {
                0 => Some(if wants_answer { rng.u32(600_000..) } else { rng.u32(..100) }),
                _ => None,
            },
            timestamp: (rng.u8(..4) == 0).then(|| rng.u64(..)),
            headers: (rng.u8(..3) == 0).then(|| table(rng, 5, 0)),
            body: body(rng, &method, json),
            method,
            wants_answer,
        }
    }

    /// As a transport without bytes beneath takes it: names are text.
    pub(crate) fn message(self, service: &str, id: usize, reply_to: &str, rng: &mut Rng) -> Message {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned().into();
        let (exchange, routing_key) = match self.short_path {
            true => ("", format!("kinoko.rpc-{service}")),
            false => ("nameko-rpc", format!("{service}.{}", String::from_utf8_lossy(&self.method).replace('.', ","))),
        };
        let mut properties = Properties {
            content_type: self.content_type.map(text),
            content_encoding: self.content_encoding.map(text),
            correlation_id: Some(id.to_string().into()),
            reply_to: self.wants_answer.then(|| reply_to.to_owned().into()),
            expiration: self.expiration_ms.map(|ms| std::time::Duration::from_millis(ms.into())),
            timestamp_ms: self.timestamp,
            kind: self.short_path.then(|| text(self.method)),
            app_id: self.app_id.map(text),
            cluster_id: self.cluster_id.map(text),
            ..Properties::default()
        };
        for _ in 0..self.headers.map_or(0, |table| table.len() % 5) {
            let key = if rng.bool() { "nameko.call_id_stack".to_owned() } else { format!("nameko.{}", rng.u8(..)) };
            properties.headers.set(key, value(rng, 0));
        }
        Message { exchange: exchange.into(), routing_key: routing_key.into(), properties, body: self.body.into() }
    }
}

fn content_type(json: bool) -> Vec<u8> {
    if json { b"application/json".to_vec() } else { b"application/x-msgpack".to_vec() }
}

fn bytes(rng: &mut Rng, most: usize) -> Vec<u8> {
    (0..rng.usize(..=most)).map(|_| rng.u8(..)).collect()
}

fn stack(rng: &mut Rng) -> Vec<u8> {
    if rng.bool() { vec![b','; rng.usize(..=255)] } else { bytes(rng, 255) }
}

/// A table that a broker lets through: its structure is right, its names may be anything.
fn table(rng: &mut Rng, most: usize, depth: usize) -> Vec<u8> {
    let mut table = Vec::new();
    for _ in 0..rng.usize(..=most) {
        let name = match rng.u8(..4) {
            0 => b"nameko.call_id_stack".to_vec(),
            1 => [b"nameko.".to_vec(), bytes(rng, 20)].concat(),
            _ => bytes(rng, 60),
        };
        table.push(u8::try_from(name.len()).expect("short"));
        table.extend(name);
        table.extend(field(rng, depth));
    }
    table
}

fn field(rng: &mut Rng, depth: usize) -> Vec<u8> {
    let long = |kind: u8, content: Vec<u8>| {
        let size = u32::try_from(content.len()).expect("short").to_be_bytes();
        [&[kind][..], &size, &content].concat()
    };
    let fixed = |kind: u8, bytes: &[u8]| [&[kind][..], bytes].concat();
    match rng.u8(..if depth < 40 { 14 } else { 10 }) {
        0 => vec![b'V'],
        1 => fixed(b't', &[rng.u8(..)]),
        2 => fixed(b'I', &rng.u32(..).to_be_bytes()),
        3 => fixed(b'l', &rng.u64(..).to_be_bytes()),
        // Not NaN, nor infinite: Erlang has neither, and RabbitMQ closes the connection of who sends it.
        4 => fixed(b'd', &(rng.u64(..) & !(1 << 62)).to_be_bytes()),
        5 => fixed(b'D', &[rng.u8(..), 1, 2, 3, 4]),
        6 => fixed(b'T', &rng.u64(..).to_be_bytes()),
        7 => fixed(b's', &rng.u16(..).to_be_bytes()),
        8 => long(b'x', bytes(rng, 40)),
        9 => long(b'S', bytes(rng, 40)),
        10..12 => {
            let items = rng.usize(..3);
            long(b'A', (0..items).flat_map(|_| field(rng, depth + 1)).collect())
        }
        _ => long(b'F', table(rng, 2, depth + 1)),
    }
}

fn value(rng: &mut Rng, depth: usize) -> Value {
    match rng.u8(..if depth < 6 { 9 } else { 6 }) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => rng.i64(..).into(),
        3 => rng.u64(..).into(),
        4 => rng.f64().into(),
        5 => String::from_utf8_lossy(&bytes(rng, 30)).into_owned().into(),
        6 | 7 => (0..rng.usize(..5)).map(|_| value(rng, depth + 1)).collect::<Vec<_>>().into(),
        _ => Value::Object((0..rng.usize(..5)).map(|n| (format!("k{n}"), value(rng, depth + 1))).collect()),
    }
}

/// A body that the method takes, or nearly.
fn body(rng: &mut Rng, method: &[u8], json: bool) -> Vec<u8> {
    let kind = rng.u8(..20);
    if kind == 0 {
        return bytes(rng, 300);
    }
    let request = match method {
        b"echo" => serde_json::json!({"args": [value(rng, 0)], "kwargs": {}}),
        b"borrowed" => serde_json::json!({"args": ["text", [1, 2, 3]], "kwargs": {"pair": [true, "c"]}}),
        b"typed" => serde_json::json!({"args": [rng.u32(..)], "kwargs": {
            "text": "t".repeat(rng.usize(..50)),
            "lines": [{"sku": "a", "qty": 1, "price": 1.5}],
            "tree": {"Both": {"left": {"Not": {"Leaf": 1}}, "right": {"Many": [{"Leaf": 2}]}}},
            "map": {"a": 1.0}, "ids": {"1": [null]}, "bytes": [1, 2], "address": "::1",
        }}),
        _ => serde_json::json!({"args": [], "kwargs": {}}),
    };
    let encoded = if json { serde_json::to_vec(&request).ok() } else { rmp_serde::to_vec_named(&request).ok() };
    let mut body = encoded.unwrap_or_default();
    match kind {
        // As it is.
        1..6 => {}
        6 => body.truncate(rng.usize(..=body.len())),
        7 => body.extend(bytes(rng, 100)),
        8 => {
            let at = rng.usize(..=body.len());
            let deep = if json { b"[".as_slice() } else { b"\x91" };
            body.splice(at..at, deep.repeat(rng.usize(..3_000)));
        }
        9 => {
            let at = rng.usize(..=body.len());
            let marker = [0xdb, 0xc6, 0xc9, 0xdd, 0xdf, 0xdc, 0xde, 0xc1][rng.usize(..8)];
            body.splice(at..at, [marker, 0xff, 0xff, 0xff, 0xff]);
        }
        10 if rng.u8(..20) == 0 => body.resize(rng.usize(..200_000), b' '),
        _ => {
            for _ in 0..rng.usize(1..6) {
                mutate(rng, &mut body);
            }
        }
    }
    body
}

fn mutate(rng: &mut Rng, body: &mut Vec<u8>) {
    if body.is_empty() {
        return;
    }
    let at = rng.usize(..body.len());
    match rng.u8(..5) {
        0 => body[at] ^= 1 << rng.u8(..8),
        1 => body[at] = rng.u8(..),
        2 => drop(body.remove(at)),
        3 => body.insert(at, rng.u8(..)),
        _ => {
            let end = rng.usize(at..=body.len());
            let copy = body[at..end].to_vec();
            body.splice(at..at, copy);
        }
    }
}

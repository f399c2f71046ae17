//! What is echoed, and how: the same struct through the same codecs on every side.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Failed;

/// About 100 bytes encoded, or as many more as its note is long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Payload {
    id: u64,
    sku: String,
    quantity: u32,
    note: String,
}

impl Payload {
    /// One of about this size, encoded.
    pub(crate) fn of_bytes(bytes: usize) -> Self {
        const REST: usize = 54;
        Self {
            id: 1_234_567_890,
            sku: "SHIITAKE-0042".to_owned(),
            quantity: 3,
            note: "fresh ".chars().cycle().take(bytes - REST).collect(),
        }
    }
}

/// One of the two codecs that both sides speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    MessagePack,
    Json,
}

impl Codec {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MessagePack => "msgpack",
            Self::Json => "json",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "msgpack" => Ok(Self::MessagePack),
            "json" => Ok(Self::Json),
            other => Err(format!("no codec is called `{other}`: write `msgpack` or `json`")),
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::MessagePack => "application/x-msgpack",
            Self::Json => "application/json",
        }
    }

    pub(crate) fn content_encoding(self) -> &'static str {
        match self {
            Self::MessagePack => "binary",
            Self::Json => "utf-8",
        }
    }

    pub(crate) fn of_content_type(content_type: &str) -> Result<Self, Failed> {
        match content_type {
            "application/x-msgpack" => Ok(Self::MessagePack),
            "application/json" => Ok(Self::Json),
            other => Err(format!("no codec for `{other}`").into()),
        }
    }

    pub(crate) fn encode(self, value: &impl Serialize) -> Result<Vec<u8>, Failed> {
        let mut body = Vec::with_capacity(256);
        match self {
            Self::MessagePack => rmp_serde::encode::write_named(&mut body, value)?,
            Self::Json => serde_json::to_writer(&mut body, value)?,
        }
        Ok(body)
    }

    pub(crate) fn decode<T: DeserializeOwned>(self, body: &[u8]) -> Result<T, Failed> {
        Ok(match self {
            Self::MessagePack => rmp_serde::from_slice(body)?,
            Self::Json => serde_json::from_slice(body)?,
        })
    }
}

/// The body of a request, as Nameko forms it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Request<P> {
    pub(crate) args: [(); 0],
    pub(crate) kwargs: Arguments<P>,
}

/// The arguments of the echo.
#[derive(Serialize, Deserialize)]
pub(crate) struct Arguments<P> {
    pub(crate) payload: P,
}

/// The body of a reply, as Nameko forms it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reply<P> {
    pub(crate) result: Option<P>,
    pub(crate) error: Option<String>,
}

/// The method that every server runs.
pub(crate) async fn echo(payload: Payload) -> Payload {
    payload
}

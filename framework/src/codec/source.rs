use serde::de::DeserializeSeed;

use super::{Codec, DecodeError, custom, json, msgpack};

/// A body on its way into a value, in the codec's hands.
pub(crate) enum Source<'a, 'de> {
    Json(&'de [u8]),
    /// JSON that had to be read as Python writes it.
    Tree(json::Tree),
    MessagePack(&'de [u8]),
    Custom(&'a dyn Codec, &'de [u8]),
}

impl<'de> Source<'_, 'de> {
    pub(crate) fn decode<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, DecodeError> {
        match self {
            Self::Json(body) => json::decode_plain(body, seed),
            // Erased, like those of custom codecs: the code for it is there already.
            Self::Tree(tree) => custom::decode_erased(&mut <dyn erased_serde::Deserializer<'de>>::erase(tree), seed),
            Self::MessagePack(body) => msgpack::decode(body, seed),
            Self::Custom(codec, body) => custom::decode(codec, body, seed),
        }
    }
}

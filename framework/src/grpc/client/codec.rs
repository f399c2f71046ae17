//! Messages that are encoded before they are sent: a call that is made again has them still.

use std::marker::PhantomData;

use bytes::{BufMut, Bytes};
use prost::Message;
use tonic::{
    Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// Sends what is encoded, and reads `O`.
pub(super) struct Encoded<O>(PhantomData<fn() -> O>);

impl<O> Encoded<O> {
    pub(super) const NEW: Self = Self(PhantomData);
}

impl<O: Message + Default + Send + 'static> Codec for Encoded<O> {
    type Encode = Bytes;
    type Decode = O;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self::NEW
    }

    fn decoder(&mut self) -> Self {
        Self::NEW
    }
}

impl<O> Encoder for Encoded<O> {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl<O: Message + Default> Decoder for Encoded<O> {
    type Item = O;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<O>, Status> {
        O::decode(buffer).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

//! What `kinoko-build` makes of a service in a `.proto` file, and what its methods are to servers and clients alike.

use std::{fmt, marker::PhantomData};

use super::client::Channel;

/// A service of a `.proto` file. `kinoko-build` implements it; see the [module](super) for how.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no service of a `.proto` file",
    label = "not made by `kinoko-build`",
    note = "let the build script compile the file, and name its service: `kinoko::proto!(\"inventory.v1\")` brings `Inventory`"
)]
pub trait ProtoService: Send + Sync + 'static {
    /// Calls it.
    type Client: From<Channel> + Clone + Send + Sync + 'static;
    /// Its whole name: `inventory.v1.Inventory`.
    const NAME: &'static str;
    /// Its methods, in the order of the file.
    const METHODS: &'static [ProtoMethod];
    /// The files that it was made of, as a `google.protobuf.FileDescriptorSet`: what reflection tells of it.
    const DESCRIPTORS: &'static [u8];
}

/// A method of a [`ProtoService`].
#[derive(Debug, Clone, Copy)]
pub struct ProtoMethod {
    /// Its name in Rust: `check_stock`.
    pub name: &'static str,
    /// Its name in the file: `CheckStock`.
    pub proto_name: &'static str,
    /// What the compiler says where somebody serves the others and not this one.
    pub missing: &'static str,
}

/// A method by its path, its pattern, and what it takes and gives.
pub struct Method<P, I, O> {
    /// `/inventory.v1.Inventory/CheckStock`
    pub(super) path: &'static str,
    types: PhantomData<fn(I) -> (P, O)>,
}

/// One request, one response.
pub type Unary<I, O> = Method<pattern::Unary, I, O>;
/// A stream of requests, one response.
pub type ClientStreaming<I, O> = Method<pattern::ClientStreaming, I, O>;
/// One request, a stream of responses.
pub type ServerStreaming<I, O> = Method<pattern::ServerStreaming, I, O>;
/// A stream of requests and, at the same time, one of responses.
pub type BidiStreaming<I, O> = Method<pattern::BidiStreaming, I, O>;

/// The four patterns of gRPC, as types.
pub mod pattern {
    /// One request, one response.
    #[derive(Debug)]
    pub enum Unary {}
    /// A stream of requests, one response.
    #[derive(Debug)]
    pub enum ClientStreaming {}
    /// One request, a stream of responses.
    #[derive(Debug)]
    pub enum ServerStreaming {}
    /// A stream of requests and one of responses.
    #[derive(Debug)]
    pub enum BidiStreaming {}
}

impl<P, I, O> Method<P, I, O> {
    /// The method at a path: `/inventory.v1.Inventory/CheckStock`.
    pub const fn new(path: &'static str) -> Self {
        Self { path, types: PhantomData }
    }
}

impl<P, I, O> Clone for Method<P, I, O> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, I, O> Copy for Method<P, I, O> {}

impl<P, I, O> fmt::Debug for Method<P, I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Method").field(&self.path).finish()
    }
}

//! For build scripts: what `.proto` files say, as Rust that kinoko serves and calls.
//!
//! The files are compiled in Rust: nobody has to install protoc.
//! A message becomes a struct that is [`prost`'s](https://docs.rs/prost) and serde's, so that one method may stand behind `#[grpc]`,
//! `#[rpc]` and `#[http]`. A service becomes a type that `#[grpc]` methods name, and a client.
//!
//! ```toml
//! [dependencies]
//! kinoko = { version = "0.1", features = ["grpc"] }
//!
//! [build-dependencies]
//! kinoko-build = "0.1"
//! ```
//!
//! ```no_run
//! // build.rs
//! fn main() -> Result<(), kinoko_build::Error> {
//!     kinoko_build::compile(["proto/inventory.proto"])
//! }
//! ```
//!
//! The program brings a package in by its name. Where messages of one package name those of another, both have to stand in the modules
//! that their names say, `inventory.v1` in `mod inventory { pub mod v1 { … } }`, beside each other.
//!
//! ```ignore
//! mod inventory {
//!     kinoko::proto!("inventory.v1");
//! }
//! ```
//!
//! [`Protos`] has the settings: folders of imports, errors of clients, schemas.
//!
//! # In JSON and MessagePack
//!
//! | in the file | beside gRPC |
//! | --- | --- |
//! | a field | by its name in the file; one that is missing has its default, as in gRPC |
//! | an enum | the value's name, `"COLOR_RED"`; its number is read, too, and written where it has no name |
//! | `oneof` | a map of one entry under the name of the `oneof`: `{"payment": {"card": "…"}}` |
//! | `bytes` | bytes in MessagePack, a list of numbers in JSON; base64 is read, too |
//! | `google.protobuf.Timestamp` | text, as RFC 3339 has it: `"2026-11-28T22:15:00Z"` |
//! | `google.protobuf.Duration` | text: `"1.5s"`; a number of seconds is read, too |
//! | `google.protobuf.Struct`, `Value`, `ListValue` | what they stand for |
//! | `google.protobuf.StringValue` and its like | the value, or null |
//! | `google.protobuf.Empty` | null |
//!
//! Other messages of `google.protobuf` have no such form yet; [`Protos::serde`] switches it off where they are needed.

mod comments;
mod error;
mod lints;
mod messages;
mod names;
mod protos;
mod service;

use std::path::Path;

pub use self::{error::Error, protos::Protos};

/// Compiles `.proto` files, with the folder of each as the place that its imports are looked for in.
///
/// Paths begin at the folder of the package's `Cargo.toml`. What is written is in `OUT_DIR`, one file for each package of protobuf, for
/// `kinoko::proto!`. Cargo runs the build script again when one of the files has changed, or one that they import.
///
/// # Errors
///
/// For a file that is not there, or that makes no sense, with the line; for an import that is not found; for two things that would get
/// one name in Rust.
///
/// # Examples
///
/// ```no_run
/// fn main() -> Result<(), kinoko_build::Error> {
///     kinoko_build::compile(["proto/inventory.proto", "proto/orders.proto"])
/// }
/// ```
pub fn compile<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Result<(), Error> {
    files.into_iter().fold(Protos::new(), |protos, file| protos.file(file)).compile()
}

//! What the types of answers look like in documents: each content type that they may have, with its schema.

use std::marker::PhantomData;

use axum::{
    Json,
    http::StatusCode,
    response::{Html, Response, Sse},
};
use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::{protocol::Shape, service::SecurityScheme};

type Media = Vec<(&'static str, Schema)>;

/// Asks, at a concrete type, what it looks like as an answer: inherent functions hide the trait's.
#[derive(Debug)]
pub struct AnswerProbe<T>(PhantomData<T>);

/// The other half of [`AnswerProbe`]: JSON, or for a response whose content nobody knows anything at all.
pub trait OtherAnswer {
    /// Each content type with its schema.
    fn media(generator: &mut SchemaGenerator, shape: Shape, is_response: bool) -> Media {
        if is_response { vec![("*/*", true.into())] } else { vec![("application/json", shape.schema(generator))] }
    }
}

impl<T> OtherAnswer for AnswerProbe<T> {}

fn text(content_type: &'static str, generator: &mut SchemaGenerator) -> Media {
    vec![(content_type, generator.subschema_for::<String>())]
}

macro_rules! known {
    ($(#[doc = $doc:literal] for<$($name:ident $(: $bound:ident)?)?> $ty:ty => |$generator:ident| $media:expr;)*) => {$(
        impl<$($name $(: $bound)?)?> AnswerProbe<$ty> {
            #[doc = $doc]
            pub fn media($generator: &mut SchemaGenerator, _: Shape, _: bool) -> Media {
                $media
            }
        }
    )*};
}

known! {
    #[doc = "No content."]
    for<> () => |_generator| Vec::new();
    #[doc = "No content."]
    for<> StatusCode => |_generator| Vec::new();
    #[doc = "Text."]
    for<> String => |generator| text("text/plain; charset=utf-8", generator);
    #[doc = "Text."]
    for<> &'static str => |generator| text("text/plain; charset=utf-8", generator);
    #[doc = "Bytes."]
    for<> Vec<u8> => |_generator| vec![("application/octet-stream", true.into())];
    #[doc = "Bytes."]
    for<> Bytes => |_generator| vec![("application/octet-stream", true.into())];
    #[doc = "JSON."]
    for<T: JsonSchema> Json<T> => |generator| vec![("application/json", generator.subschema_for::<T>())];
    #[doc = "JSON, with a status of its own."]
    for<T: JsonSchema> (StatusCode, Json<T>) => |generator| vec![("application/json", generator.subschema_for::<T>())];
    #[doc = "A page."]
    for<T> Html<T> => |generator| text("text/html; charset=utf-8", generator);
    #[doc = "Events, as they come."]
    for<S> Sse<S> => |generator| text("text/event-stream", generator);
    #[doc = "Anything."]
    for<> Response => |_generator| vec![("*/*", true.into())];
}

/// What an injected parameter asks of who calls, for documents.
///
/// Implement it for a type of your own whose [`FromWorker`](crate::FromWorker) refuses strangers: then each route that injects it says in
/// `/openapi.json` how a caller shows who it is, the docs page asks for it, and a 401 of the route names it in `WWW-Authenticate`:
/// `Bearer`, or `ApiKey header="x-api-key"`.
///
/// ```
/// use kinoko::{http::{Secured, SecurityScheme}, prelude::*};
///
/// struct Partner(String);
///
/// impl Secured for Partner {
///     const SCHEME: SecurityScheme = SecurityScheme::ApiKey { header: "x-api-key" };
/// }
/// ```
pub trait Secured {
    /// How a caller shows who it is.
    const SCHEME: SecurityScheme;
}

impl Secured for crate::AuthToken {
    const SCHEME: SecurityScheme = SecurityScheme::Bearer { format: "" };
}

#[cfg(feature = "jwt")]
impl Secured for crate::auth::Identity {
    const SCHEME: SecurityScheme = SecurityScheme::JWT;
}

#[cfg(feature = "jwt")]
impl<T> Secured for crate::auth::Claims<T> {
    const SCHEME: SecurityScheme = SecurityScheme::JWT;
}

impl<T: Secured> Secured for crate::Context<T> {
    const SCHEME: SecurityScheme = T::SCHEME;
}

/// Asks, at a concrete type, whether it is [`Secured`]: an inherent constant hides the trait's.
#[derive(Debug)]
pub struct SecuredProbe<T>(PhantomData<T>);

impl<T: Secured> SecuredProbe<T> {
    /// As it says.
    pub const SCHEME: Option<SecurityScheme> = Some(T::SCHEME);
}

/// The other half of [`SecuredProbe`].
pub trait NotSecured {
    /// Nothing is asked.
    const SCHEME: Option<SecurityScheme> = None;
}

impl<T> NotSecured for SecuredProbe<T> {}

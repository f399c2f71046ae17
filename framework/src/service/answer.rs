//! How a method's written types become what travels: `T` and `Result<T, E>` told apart by type, not by spelling.

use std::{borrow::Cow, convert::Infallible, fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, Serialize, de::Visitor};

/// A type that asks, at a concrete type, whether it is a `Result`: an inherent constant hides the trait's.
/// That sees through aliases, which a macro cannot.
#[derive(Debug)]
pub struct Probe<R>(PhantomData<R>);

impl<T, E> Probe<Result<T, E>> {
    /// It is one.
    pub const IS_RESULT: bool = true;
}

/// The other half of [`Probe`].
pub trait NotResult {
    /// It is none.
    const IS_RESULT: bool = false;
}

impl<R> NotResult for Probe<R> {}

/// What a method's return type consists of.
pub trait Parts<const IS_RESULT: bool> {
    /// What a call gives.
    type Ok;
    /// What a call fails with.
    type Err;
    /// Takes it apart.
    ///
    /// # Errors
    ///
    /// The method's own.
    fn split(self) -> Result<Self::Ok, Self::Err>;
}

impl<T, E> Parts<true> for Result<T, E> {
    type Ok = T;
    type Err = E;
    fn split(self) -> Self {
        self
    }
}

impl<T> Parts<false> for T {
    type Ok = T;
    type Err = Infallible;
    fn split(self) -> Result<T, Infallible> {
        Ok(self)
    }
}

/// A value that can be sent as an argument by a generated client.
#[diagnostic::on_unimplemented(
    message = "the generated client cannot send a `{Self}`",
    label = "not `Serialize`",
    note = "add `#[derive(serde::Serialize)]` to it, or write `#[service(…, client = false)]` if nobody needs the client"
)]
pub trait Argument: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + ?Sized> Argument for T {}

/// A value that a method can return to a caller.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent to a caller as a result",
    label = "not `Serialize`",
    note = "add `#[derive(serde::Serialize)]` to it"
)]
pub trait Answer: Serialize {}

#[diagnostic::do_not_recommend]
impl<T: Serialize> Answer for T {}

/// What a `&str` parameter decodes to. A plain `&str` cannot be borrowed from JSON with escapes, and Python escapes every
/// letter beyond ASCII.
#[derive(Debug)]
pub struct Text<'de>(Cow<'de, str>);

impl Text<'_> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> From<&'de str> for Text<'de> {
    fn from(text: &'de str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
            fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text)))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

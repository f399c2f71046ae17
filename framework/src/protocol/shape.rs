//! What types look like in documents: JSON schemas, asked where the types are concrete. Without the feature `schema` nothing is kept.

use std::{fmt, marker::PhantomData};

use super::{FaultMeta, ServiceError};

/// What one type looks like; written by `shape!`.
#[derive(Clone, Copy)]
pub struct Shape {
    #[cfg(feature = "schema")]
    make: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
}

#[cfg(feature = "schema")]
impl Shape {
    /// Anything.
    pub const ANYTHING: Self = Self::of(|_| true.into());

    /// As this function says.
    pub const fn of(make: fn(&mut schemars::SchemaGenerator) -> schemars::Schema) -> Self {
        Self { make }
    }

    /// The schema, with what it refers to among the generator's definitions.
    pub(crate) fn schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        (self.make)(generator)
    }
}

#[cfg(not(feature = "schema"))]
impl Shape {
    /// Anything: nothing is kept of it.
    pub const ANYTHING: Self = Self {};
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shape")
    }
}

/// What one method takes and gives.
#[derive(Debug, Clone, Copy)]
pub struct MethodShapes {
    /// Each argument, in the order of the method's `params`.
    pub params: &'static [Shape],
    /// What it gives: of a `Result<T, E>` the `T`.
    pub ok: Shape,
    /// The variants of its error; none where it has no error, or one that says nothing of itself.
    pub errors: &'static [VariantInfo],
}

impl MethodShapes {
    /// Nothing is known of its types.
    #[cfg(test)]
    pub(crate) const UNKNOWN: Self = Self { params: &[], ok: Shape::ANYTHING, errors: &[] };
}

/// What documents say of one variant of an error.
#[derive(Debug, Clone, Copy)]
pub enum VariantInfo {
    /// One that travels.
    Own {
        /// Its codes.
        meta: FaultMeta,
        /// Its doc comment.
        doc: &'static str,
        /// Its fields, by the names under which they travel.
        fields: &'static [(&'static str, Shape)],
    },
    /// Another service's error, which passes on.
    Forwarded(&'static [Self]),
    /// One whose text stays in the log.
    Internal,
}

/// Asks, at a concrete type, whether it is a [`ServiceError`]: an inherent constant hides the trait's.
#[derive(Debug)]
pub struct ServiceErrorProbe<E>(PhantomData<E>);

impl<E: ServiceError> ServiceErrorProbe<E> {
    /// It is one.
    pub const YES: bool = true;
}

/// The other half of [`ServiceErrorProbe`].
pub trait NotServiceError {
    /// It is none.
    const YES: bool = false;
}

impl<E> NotServiceError for ServiceErrorProbe<E> {}

/// What an error says of its variants, where it is a [`ServiceError`]; nothing where it is none, which is told elsewhere.
pub trait DescribesErrors<const IS_SERVICE_ERROR: bool> {
    /// Its variants.
    const VARIANTS: &'static [VariantInfo];
}

impl<E: ServiceError> DescribesErrors<true> for E {
    const VARIANTS: &'static [VariantInfo] = E::VARIANTS;
}

impl<E> DescribesErrors<false> for E {
    const VARIANTS: &'static [VariantInfo] = &[];
}

/// Asks, at a concrete type, what it looks like: an inherent function hides the trait's.
#[cfg(feature = "schema")]
#[derive(Debug)]
pub struct Described<T>(PhantomData<T>);

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> Described<T> {
    /// As the type says.
    pub fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<T>()
    }
}

/// The other half of [`Described`].
#[cfg(feature = "schema")]
pub trait Undescribed {
    /// Anything.
    fn schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}

#[cfg(feature = "schema")]
impl<T> Undescribed for Described<T> {}

/// The [`Shape`] of a concrete type.
#[cfg(feature = "schema")]
#[doc(hidden)]
#[macro_export]
macro_rules! __shape {
    ($ty:ty) => {
        $crate::__private::Shape::of({
            #[allow(unused_imports)]
            use $crate::__private::Undescribed as _;
            |generator| $crate::__private::Described::<$ty>::schema(generator)
        })
    };
}

/// The [`Shape`] of a concrete type.
#[cfg(not(feature = "schema"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __shape {
    ($ty:ty) => {
        $crate::__private::Shape::ANYTHING
    };
}

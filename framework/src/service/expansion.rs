//! What generated code calls, so that little of it is generated.

use futures_util::future::BoxFuture;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _},
    ser::SerializeMap,
};
use serde_json::Map;

use super::FaultKind;
use super::{Argument, Contract, ContractInfo, Outcome, Text, WorkerCall};
use crate::{
    Result,
    client::CallError,
    context::{WorkerContext, WorkerOutcome},
    dependency::{Dependencies, SetupContext},
    event::Verdict,
    protocol::{Certainty, Fault, FaultMeta, ServiceError, Value, VariantInfo, exception},
    resilience::Refused,
};

/// A value that can be read from a caller's arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a caller's arguments",
    label = "not `Deserialize`",
    note = "add `#[derive(serde::Deserialize)]` to it, or mark the parameter `#[inject]` if the framework supplies it"
)]
pub trait FromArguments: DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> FromArguments for T {}

/// Decodes one argument.
///
/// # Errors
///
/// The deserializer's.
pub fn read_argument<'de, T: FromArguments, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(deserializer)
}

/// Decodes an argument that the method takes as a slice. The bound is the item's, so that a missing derive is told of the item.
///
/// # Errors
///
/// The deserializer's.
pub fn read_list<'de, T: FromArguments, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Vec::deserialize(deserializer)
}

/// The end of the `match` over parameters: whoever calls `set` asks for the index first.
///
/// # Errors
///
/// Always.
#[cold]
pub fn no_such_parameter<'de, D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
    Err(D::Error::custom("no such parameter"))
}

/// Encodes one argument.
///
/// # Errors
///
/// The serializer's.
pub fn write_argument<M: SerializeMap, T: Argument + ?Sized>(
    map: &mut M,
    name: &'static str,
    value: &T,
) -> Result<(), M::Error> {
    map.serialize_entry(name, value)
}

/// The end of the `match` over methods: whoever dispatches takes the index from the descriptor.
#[cold]
pub fn no_such_method(call: WorkerCall) -> BoxFuture<'static, Outcome> {
    let fault = Fault::nameko("MethodNotFound", format!("no method with index {}", call.index));
    Box::pin(async { Outcome::Fault { fault: Box::new(fault), kind: FaultKind::Rejected } })
}

/// The hooks of a fake, which is called with no container around it: none.
#[derive(Debug)]
pub struct NoHooks;

impl Dependencies for NoHooks {
    async fn setup(_: &SetupContext) -> Result<Self> {
        Ok(Self)
    }

    async fn worker_setup(&self, _: &WorkerContext) -> Result<()> {
        Ok(())
    }

    async fn worker_result(&self, _: &WorkerContext, _: WorkerOutcome<'_>) -> Result<()> {
        Ok(())
    }

    async fn worker_teardown(&self, _: &WorkerContext) -> Result<()> {
        Ok(())
    }
}

/// A value that can be written as the `#[default(…)]` of a parameter of type `T`.
#[diagnostic::on_unimplemented(
    message = "a parameter of type `{T}` cannot have a `{Self}` as its default",
    label = "not the parameter's type"
)]
pub trait DefaultArgument<T> {
    /// Converts it.
    fn into_argument(self) -> T;
}

impl<T> DefaultArgument<T> for T {
    fn into_argument(self) -> T {
        self
    }
}

impl<T> DefaultArgument<Option<T>> for T {
    fn into_argument(self) -> Option<T> {
        Some(self)
    }
}

impl DefaultArgument<String> for &str {
    fn into_argument(self) -> String {
        self.to_owned()
    }
}

impl DefaultArgument<Option<String>> for &str {
    fn into_argument(self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl<'de> DefaultArgument<Text<'de>> for &'de str {
    fn into_argument(self) -> Text<'de> {
        Text::from(self)
    }
}

impl<T, const N: usize> DefaultArgument<Vec<T>> for [T; N] {
    fn into_argument(self) -> Vec<T> {
        self.into()
    }
}

/// Converts the `#[default(…)]` of a parameter.
pub fn default_argument<T>(value: impl DefaultArgument<T>) -> T {
    value.into_argument()
}

/// A field of an error, on its way out and back.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot travel as a field of an error",
    label = "not `Serialize` and `Deserialize`",
    note = "add `#[derive(serde::Serialize, serde::Deserialize)]` to it, or mark the variant `#[fault(internal)]` if it is a foreign error that callers need not see"
)]
pub trait Travels: Serialize + DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Travels for T {}

/// The data of a fault.
pub type Data<'a> = Option<&'a Map<String, Value>>;

/// Both directions of one type: one value, so that a type that does not travel is told once.
#[derive(Debug)]
pub struct Travel<T> {
    /// To a JSON value, also where the message itself is MessagePack: only JSON has one form for each type.
    pub to_value: fn(&T) -> Value,
    /// From the data of a fault.
    pub from_data: fn(Data<'_>, &str) -> Option<T>,
    /// From an argument of a Python exception, which Nameko made a text of.
    pub from_python: fn(&Value) -> Option<T>,
}

/// See [`Travel`].
pub fn travel<T: Travels>() -> Travel<T> {
    Travel {
        to_value: |field| serde_json::to_value(field).unwrap_or(Value::Null),
        from_data: |data, key| T::deserialize(data?.get(key).unwrap_or(&Value::Null)).ok(),
        from_python: |value| T::deserialize(value).or_else(|_| T::deserialize(exception::unsafe_again(value))).ok(),
    }
}

/// The arguments of a Python exception, where the fault is one of this class that no kinoko service sent.
pub fn raised(fault: &Fault, path: &str, fields: usize) -> Option<Vec<Value>> {
    exception::raised(fault, path, fields)
}

/// The fault of a variant that travels.
///
/// The bound is `ServiceError`, not `Display`: a type without a text is told once, where it implements `ServiceError`.
pub fn variant<E: ServiceError>(meta: &FaultMeta, error: &E, data: Option<Map<String, Value>>) -> Fault {
    Fault::of_variant(meta, error, data)
}

/// What a handler's error becomes. The bound is `ServiceError` for the same reason.
pub fn verdict<E: ServiceError>(error: &E) -> Verdict {
    Verdict::of_fault(error.to_fault())
}

/// The fault of a variant marked `#[fault(internal)]`.
pub fn internal_variant<E: ServiceError>(exc_type: &'static str, error: &E) -> Fault {
    Fault::internal(exc_type, error.to_string())
}

/// The field of a variant marked `#[fault(forward)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be forwarded",
    label = "not a `CallError`",
    note = "`#[fault(forward)]` goes on a variant whose one field is the `CallError<…>` of another service's client, or `Refused`"
)]
pub trait Forwarded: Sized {
    /// What travels.
    fn to_fault(&self) -> Fault;

    /// The inner error, where a fault was one.
    fn from_fault(fault: &Fault) -> Option<Self>;

    /// Whether the work was done.
    fn certainty(&self) -> Certainty;

    /// What documents say of the inner error.
    const VARIANTS: &'static [VariantInfo];
}

impl<E: ServiceError> Forwarded for CallError<E> {
    fn to_fault(&self) -> Fault {
        CallError::to_fault(self)
    }

    fn from_fault(fault: &Fault) -> Option<Self> {
        CallError::from_forwarded(fault)
    }

    fn certainty(&self) -> Certainty {
        CallError::certainty(self)
    }

    const VARIANTS: &'static [VariantInfo] = E::VARIANTS;
}

impl Forwarded for Refused {
    fn to_fault(&self) -> Fault {
        ServiceError::to_fault(self)
    }

    fn from_fault(fault: &Fault) -> Option<Self> {
        ServiceError::from_fault(fault)
    }

    fn certainty(&self) -> Certainty {
        ServiceError::certainty(self)
    }

    const VARIANTS: &'static [VariantInfo] = <Self as ServiceError>::VARIANTS;
}

/// Both directions of a forwarded error: one value, as [`Travel`] is.
#[derive(Debug)]
pub struct Forward<T> {
    /// Out.
    pub to_fault: fn(&T) -> Fault,
    /// And back.
    pub from_fault: fn(&Fault) -> Option<T>,
    /// Whether the work was done.
    pub certainty: fn(&T) -> Certainty,
    /// What documents say of it.
    pub variants: &'static [VariantInfo],
}

/// See [`Forward`].
pub const fn forward<T: Forwarded>() -> Forward<T> {
    Forward { to_fault: T::to_fault, from_fault: T::from_fault, certainty: T::certainty, variants: T::VARIANTS }
}

/// The data of a contract. A function, so that naming something else is a plain error about its type.
pub const fn info_of<C>(contract: &Contract<C>) -> ContractInfo {
    contract.info
}

/// How long a Rust path is with dots for `::`.
pub const fn dotted_len(path: &str) -> usize {
    let (path, mut i, mut len) = (path.as_bytes(), 0, 0);
    while i < path.len() {
        i += if is_separator(path, i) { 2 } else { 1 };
        len += 1;
    }
    len
}

/// A Rust path with dots for `::`, as Python writes it.
///
/// # Panics
///
/// While compiling, if `N` is not [`dotted_len`].
pub const fn dotted<const N: usize>(path: &str) -> [u8; N] {
    let (path, mut i, mut len, mut dotted) = (path.as_bytes(), 0, 0, [0; N]);
    while i < path.len() {
        let separator = is_separator(path, i);
        dotted[len] = if separator { b'.' } else { path[i] };
        i += if separator { 2 } else { 1 };
        len += 1;
    }
    dotted
}

/// The text of [`dotted`].
///
/// # Panics
///
/// Never: dots for colons leave UTF-8 whole.
pub const fn dotted_str(dotted: &[u8]) -> &str {
    match str::from_utf8(dotted) {
        Ok(text) => text,
        Err(_) => panic!("not from `dotted`"),
    }
}

const fn is_separator(path: &[u8], i: usize) -> bool {
    i + 1 < path.len() && path[i] == b':' && path[i + 1] == b':'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_paths_become_python_paths() {
        const PATH: &str = "shop::inventory::OutOfStock";
        const DOTTED: [u8; dotted_len(PATH)] = dotted(PATH);
        assert_eq!(dotted_str(&DOTTED), "shop.inventory.OutOfStock");
    }

    #[test]
    fn a_missing_field_is_null() {
        let data = Map::new();
        assert_eq!((travel::<Option<u8>>().from_data)(Some(&data), "left"), Some(None));
        assert_eq!((travel::<u8>().from_data)(Some(&data), "left"), None);
        assert_eq!((travel::<Option<u8>>().from_data)(None, "left"), None);
    }
}

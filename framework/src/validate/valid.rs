use std::{fmt, ops::Deref};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{Invalid, invalid::report};

/// A type with rules: every [`garde::Validate`] whose context has a default.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no rules to be valid by",
    label = "not `garde::Validate`",
    note = "add `#[derive(garde::Validate)]` to it, and a rule or `#[garde(skip)]` to each field; or take it without `Valid`"
)]
pub trait Validated {
    /// Checks the value, and those that it dives into.
    ///
    /// # Errors
    ///
    /// Each broken rule.
    fn check(&self) -> Result<(), Invalid>;
}

#[diagnostic::do_not_recommend]
impl<T: garde::Validate<Context: Default>> Validated for T {
    fn check(&self) -> Result<(), Invalid> {
        self.validate().map_err(Invalid::from)
    }
}

/// A value that holds to the rules of its type: there is no other way to make one than to have it checked.
///
/// As a parameter of a method it is checked while it is read, so that the method never sees a value that breaks a rule.
/// An RPC caller is told `IncorrectSignature`, an HTTP one 422, with the field and the rule; an event becomes a dead letter.
/// It may stand anywhere in a type: `Option<Valid<T>>`, `Vec<Valid<T>>`, a field.
///
/// The rules are [garde](https://docs.rs/garde)'s; a schema of `Valid<T>` is that of `T`, and schemars reads the rules into it.
/// On the wire it is `T`, nothing more.
///
/// # Examples
///
/// ```
/// use kinoko::Valid;
///
/// #[derive(Debug, serde::Deserialize, garde::Validate)]
/// struct NewArticle {
///     #[garde(length(min = 3, max = 80))]
///     title: String,
///     #[garde(range(min = 1))]
///     cents: u32,
/// }
///
/// let article: Valid<NewArticle> = serde_json::from_str(r#"{"title": "Teapot", "cents": 1299}"#)?;
/// assert_eq!(article.title, "Teapot");
///
/// let refused = Valid::new(NewArticle { title: "Te".into(), cents: 0 }).unwrap_err();
/// assert_eq!(refused.violations().len(), 2);
/// assert!(serde_json::from_str::<Valid<NewArticle>>(r#"{"title": "Te", "cents": 1}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
// The bound stands on the type, so that a type without rules is told of where `Valid` is written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Valid<T: Validated>(T);

impl<T: Validated> Valid<T> {
    /// Checks a value.
    ///
    /// # Errors
    ///
    /// Each broken rule.
    pub fn new(value: T) -> Result<Self, Invalid> {
        match value.check() {
            Ok(()) => Ok(Self(value)),
            Err(invalid) => Err(invalid),
        }
    }

    /// The value, which may be changed now.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: Validated> Deref for Valid<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Validated> AsRef<T> for Valid<T> {
    fn as_ref(&self) -> &T {
        &self.0
    }
}

impl<T: Validated + fmt::Debug> fmt::Debug for Valid<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Validated + Serialize> Serialize for Valid<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Validated + Deserialize<'de>> Deserialize<'de> for Valid<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(T::deserialize(deserializer)?).map_err(|invalid| {
            report(&invalid);
            D::Error::custom(invalid)
        })
    }
}

/// As `T` is described, its identity included: two ids would make two definitions of one type.
#[cfg(feature = "schema")]
impl<T: Validated + schemars::JsonSchema> schemars::JsonSchema for Valid<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use garde::Validate;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    struct Order {
        #[garde(length(min = 1))]
        customer: String,
        #[garde(dive)]
        lines: Vec<Line>,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Validate)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    struct Line {
        #[garde(range(min = 1))]
        quantity: u32,
    }

    #[test]
    fn what_breaks_a_rule_cannot_be_made_and_each_rule_is_told() {
        let text = r#"{"customer": "", "lines": [{"quantity": 1}, {"quantity": 0}]}"#;
        let order: Order = serde_json::from_str(text).unwrap();
        let invalid = Valid::new(order).unwrap_err();
        let fields: Vec<_> = invalid.violations().iter().map(|violation| &*violation.field).collect();
        assert_eq!(fields, ["customer", "lines[1].quantity"]);
        let refused = serde_json::from_str::<Valid<Order>>(text).unwrap_err().to_string();
        assert!(refused.starts_with("customer: length is lower than 1; lines[1].quantity: lower than 1"), "{refused}");
    }

    #[test]
    fn on_the_wire_it_is_the_value() {
        let order = Valid::new(Order { customer: "Ada".into(), lines: Vec::new() }).unwrap();
        let text = serde_json::to_string(&order).unwrap();
        assert_eq!(text, r#"{"customer":"Ada","lines":[]}"#);
        assert_eq!(serde_json::from_str::<Valid<Order>>(&text).unwrap(), order);
        assert_eq!(format!("{order:?}"), format!("{:?}", *order));
    }

    #[cfg(feature = "schema")]
    #[test]
    fn its_schema_is_the_values_and_not_a_second_one() {
        let mut generator = schemars::SchemaGenerator::default();
        let (plain, valid) = (generator.subschema_for::<Order>(), generator.subschema_for::<Valid<Order>>());
        assert_eq!(plain, valid);
        assert_eq!(generator.definitions().keys().collect::<Vec<_>>(), ["Line", "Order"]);
        assert_eq!(generator.definitions()["Line"]["properties"]["quantity"]["minimum"], 1);
    }

    #[cfg(feature = "http")]
    #[test]
    fn whoever_listens_gets_the_report_and_nobody_else() {
        let text = r#"{"customer": "", "lines": []}"#;
        let read = || serde_json::from_str::<Vec<Valid<Order>>>(&format!("[{text}]")).is_err();
        let (failed, report) = super::super::reported(read);
        assert!(failed);
        assert_eq!(report.unwrap().violations()[0].field, "customer");
        assert!(read());
        assert!(super::super::reported(|| ()).1.is_none());
    }
}

//! A deserializer of texts: a value becomes what the type that reads it asks for.

use std::{borrow::Cow, cell::RefCell, fmt::Display, slice, str::FromStr};

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, Visitor,
    value::StrDeserializer,
};
use serde_json::Value;

use super::{
    refusal::Refusal,
    schema::{ParamSchema, Scalar},
    values::{Pair, Pairs, Part, Raw},
};
use crate::{
    http::file::{self, File},
    service::ParamPlace,
};

/// The values under one name, on their way into a parameter or a field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) pairs: &'a [Pair<'a>],
    /// Where a parameter that has fields finds them.
    pub(super) whole: Option<Whole<'a>>,
    /// Whether it may be missing.
    pub(super) optional: bool,
    /// What a list is made of.
    pub(super) list: List,
    /// What is said of it, for types that leave it to the data.
    pub(super) schema: ParamSchema,
    /// The field of the parameter that it is.
    pub(super) field: Option<&'a str>,
}

/// What a list is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Each value of the name.
    Repeated,
    /// What commas separate, in each: proxies may join the lines of a header so (RFC 9110, 5.3).
    Commas,
    /// Each value of the name; but for one value the first will do.
    FirstWins,
    /// Nothing: it is an item itself.
    Item,
}

/// All values of a request's query or body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole<'a> {
    pub(super) pairs: &'a Pairs<'a>,
    /// The names that are other parameters.
    pub(super) taken: &'a dyn Names,
    /// Learns which names were asked for.
    pub(super) asked: &'a RefCell<Asked>,
}

/// A set of names.
pub(super) trait Names: std::fmt::Debug {
    /// Whether it has this one.
    fn has(&self, name: &str) -> bool;
}

/// Which names of the whole a parameter wants.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) fields: Vec<&'static str>,
    /// A parameter that tells its fields by its schema alone.
    pub(super) open: Vec<usize>,
    /// Whether the parameter took its fields from the whole.
    pub(super) whole: bool,
}

impl Asked {
    /// What the parameter of this name wants is known from now on.
    pub(super) fn learn(&mut self, other: Self, name: &'static str) {
        if other.whole {
            self.fields.extend(other.fields);
            self.open.extend(other.open);
        } else {
            self.fields.push(name);
        }
    }
}

impl<'a> Values<'a> {
    fn raw(&self) -> Result<&'a Raw<'a>, Refusal> {
        match self.pairs {
            [] => Err(Refusal::absent()),
            [one] => Ok(&one.raw),
            [first, ..] if self.list == List::FirstWins => Ok(&first.raw),
            several => Err(Refusal::new("maxItems", format!("must be given once, not {} times", several.len()))),
        }
    }

    fn text(&self) -> Result<Cow<'a, str>, Refusal> {
        self.raw()?.text()
    }

    /// A number. Not `+5`, nor with blanks around: what a client did not mean so is no number.
    fn number<T: FromStr<Err: Display>>(&self, expected: impl FnOnce() -> String) -> Result<T, Refusal> {
        let text = self.text()?;
        let plain = !text.starts_with('+');
        text.parse().ok().filter(|_| plain).ok_or_else(|| Refusal::of_type(expected()))
    }

    fn float(&self) -> Result<f64, Refusal> {
        float(&self.text()?).ok_or_else(|| Refusal::of_type("must be a number"))
    }

    fn fields<'de, V: Visitor<'de>>(
        self,
        whole: Whole<'a>,
        known: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        {
            let mut asked = whole.asked.borrow_mut();
            asked.whole = true;
            match known {
                Some(known) => asked.fields.extend(known),
                None => asked.open.push(self.schema.index),
            }
        }
        let is_given = |name: &str| match known {
            Some(known) => known.contains(&name),
            None => !whole.taken.has(name) && self.schema.has(name),
        };
        if self.optional && !whole.pairs.groups().any(|group| is_given(&group[0].name)) {
            return Err(Refusal::absent());
        }
        let wanted = |name: &str| known.is_some_and(|known| known.contains(&name)) || !whole.taken.has(name);
        let groups = whole.pairs.groups().filter(|group| wanted(&group[0].name));
        visitor.visit_map(Fields { groups, of: self, value: None })
    }

    fn object<'de, V: Visitor<'de>>(
        self,
        known: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        match self.whole {
            Some(whole) => self.fields(whole, known, visitor),
            None => Err(Refusal::of_type("must be an object, which no single text is")),
        }
    }

    /// Whether no value at all is a list of none: a query has no other way to say it.
    fn may_be_empty(&self) -> bool {
        let ParamSchema { route, index } = self.schema;
        self.field.is_none() && route.params[index].place == ParamPlace::Query
    }

    fn items<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let split;
        let pairs = match self.list {
            List::Commas => {
                split = split_at_commas(self.pairs)?;
                &split[..]
            }
            List::Repeated | List::FirstWins | List::Item => self.pairs,
        };
        if pairs.is_empty() && (self.optional || !self.may_be_empty()) {
            return Err(Refusal::absent());
        }
        let mut items = Items { rest: pairs, of: self };
        let list = visitor.visit_seq(&mut items)?;
        match items.rest.len() {
            0 => Ok(list),
            rest => {
                let takes = pairs.len() - rest;
                Err(Refusal::new("maxItems", format!("must have {takes} items, not {}", pairs.len())))
            }
        }
    }

    fn file(self) -> Result<File, Refusal> {
        match self.raw()? {
            Raw::Part(Part { file_name, content_type, bytes }) => {
                Ok(File::new(file_name.clone(), content_type.clone(), bytes.clone()))
            }
            _ => Err(Refusal::of_type(file::ELSEWHERE)),
        }
    }
}

/// A text as a value of this kind, where it is one.
pub(super) fn guess(text: &str, scalar: Scalar) -> Value {
    let number = || {
        let whole = text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from));
        whole.ok().or_else(|| float(text).map(Value::from)).filter(|_| !text.starts_with('+'))
    };
    let value = match (scalar, text) {
        (Scalar::Number, _) => number(),
        (Scalar::Bool, "true") => Some(Value::Bool(true)),
        (Scalar::Bool, "false") => Some(Value::Bool(false)),
        _ => None,
    };
    value.unwrap_or_else(|| text.into())
}

/// A number with a point or an exponent. Not `inf`, nor what is beyond the largest.
fn float(text: &str) -> Option<f64> {
    let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E'));
    text.parse().ok().filter(|number: &f64| digits && !text.starts_with('+') && number.is_finite())
}

fn split_at_commas<'a>(pairs: &'a [Pair<'a>]) -> Result<Vec<Pair<'a>>, Refusal> {
    let mut split = Vec::new();
    for pair in pairs {
        let Raw::Plain(line) = &pair.raw else { return Err(Refusal::of_type("must be a list")) };
        let items = line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty());
        split.extend(items.map(Pair::plain));
    }
    Ok(split)
}

struct Items<'a> {
    rest: &'a [Pair<'a>],
    of: Values<'a>,
}

impl<'de> SeqAccess<'de> for &mut Items<'_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refusal> {
        let Some((first, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let item = Values { pairs: slice::from_ref(first), whole: None, list: List::Item, ..self.of };
        seed.deserialize(item).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Fields<'a, G> {
    groups: G,
    of: Values<'a>,
    value: Option<&'a [Pair<'a>]>,
}

impl<'a, 'de, G: Iterator<Item = &'a [Pair<'a>]>> MapAccess<'de> for Fields<'a, G> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        let Some(group) = self.groups.next() else { return Ok(None) };
        self.value = Some(group);
        let name: StrDeserializer<'_, Refusal> = (*group[0].name).into_deserializer();
        seed.deserialize(name).map(Some).map_err(|refusal| refusal.at(&group[0].name))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        let Some(pairs) = self.value.take() else { return Err(Refusal::custom("a value before its key")) };
        let field = Some(&*pairs[0].name);
        let value = Values { pairs, whole: None, optional: false, field, ..self.of };
        seed.deserialize(value).map_err(|refusal| refusal.at(&pairs[0].name))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            let expected = || format!("must be a whole number from {} to {}", <$number>::MIN, <$number>::MAX);
            visitor.$visit(self.number::<$number>(expected)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Values<'_> {
    type Error = Refusal;

    numbers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_u128 visit_u128 u128,
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let number = self.float()? as f32;
        if number.is_finite() {
            visitor.visit_f32(number)
        } else {
            Err(Refusal::of_type("must be a number of 32 bits"))
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_f64(self.float()?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match &*self.text()? {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            _ => Err(Refusal::of_type("must be true or false")),
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let text = self.text()?;
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => visitor.visit_char(letter),
            _ => Err(Refusal::of_type("must be one character")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.text()? {
            Cow::Borrowed(text) => visitor.visit_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.raw()?.bytes()? {
            Cow::Borrowed(bytes) => visitor.visit_bytes(bytes),
            Cow::Owned(bytes) => visitor.visit_byte_buf(bytes),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match &*self.text()? {
            "" => visitor.visit_unit(),
            _ => Err(Refusal::of_type("must be empty")),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Refusal> {
        if name == file::TOKEN {
            return file::hand_over(self.file()?, || visitor.visit_unit());
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.items(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Refusal> {
        if self.pairs.is_empty() {
            return Err(Refusal::absent());
        }
        self.items(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.object(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.object(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_enum(Variant(self.text()?))
    }

    /// As text, unless the schema says that it is something else: fields that are flattened, and enums without a tag, ask like this.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let kind = self.schema.kind(self.field);
        match self.whole {
            Some(whole) if kind.object && self.pairs.is_empty() => return self.fields(whole, None, visitor),
            _ if kind.list && self.list != List::Item => return self.items(visitor),
            _ => {}
        }
        let text = self.text()?;
        match guess(&text, kind.scalar) {
            Value::Bool(flag) => visitor.visit_bool(flag),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => visitor.visit_u64(number),
                (None, Some(number)) => visitor.visit_i64(number),
                (None, None) => visitor.visit_f64(number.as_f64().unwrap_or_default()),
            },
            _ => visitor.visit_str(&text),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }
}

/// The name of a variant that holds nothing.
struct Variant<'a>(Cow<'a, str>);

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Refusal;
    type Variant = <StrDeserializer<'static, Refusal> as EnumAccess<'de>>::Variant;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant), Refusal> {
        let name: StrDeserializer<'_, Refusal> = (*self.0).into_deserializer();
        name.variant_seed(seed)
    }
}

//! From values to the types of whoever reads them.

use std::fmt;

use serde::{
    Deserializer,
    de::{
        self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
        value::{MapDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

use super::tree::{Kind, Node};

/// Why a value does not fit.
#[derive(Debug)]
pub(super) struct Misfit(String);

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self(text.to_string())
    }
}

impl Node {
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.kind {
            Kind::Null => Unexpected::Other("nothing"),
            Kind::Bool(flag) => Unexpected::Bool(*flag),
            Kind::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => Unexpected::Unsigned(number),
                (_, Some(number), _) => Unexpected::Signed(number),
                (.., number) => Unexpected::Float(number.unwrap_or(f64::NAN)),
            },
            Kind::Text(text) => Unexpected::Str(text),
            Kind::List(_) => Unexpected::Seq,
            Kind::Map(_) => Unexpected::Map,
        }
    }

    /// The text that the writer wrote or may have meant.
    fn as_text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            // Nothing was written: no text was meant.
            Kind::Null if self.text.as_deref().is_none_or(|text| text.trim().is_empty()) => None,
            _ => self.text.as_deref(),
        }
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(flag) => visitor.visit_bool(*flag),
            Kind::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (.., number) => visitor.visit_f64(number.unwrap_or(f64::NAN)),
            },
            Kind::Text(text) => visitor.visit_borrowed_str(text),
            Kind::List(items) => visitor.visit_seq(Items(items.iter())),
            Kind::Map(map) => {
                let entries = map.iter().map(|(key, node)| (key.as_str(), node));
                visitor.visit_map(Entries { entries, value: None, fields: &[] })
            }
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.as_text() {
            Some(text) => visitor.visit_borrowed_str(text),
            None => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match &self.kind {
            // serde has no other form of a duration than this; people write `30s`.
            _ if (name, fields) == ("Duration", &["secs", "nanos"]) && self.as_text().is_some() => {
                let text = self.as_text().unwrap_or_default();
                let duration = kinoko_text::parse_duration(text).map_err(Misfit)?;
                let parts = [("secs", duration.as_secs()), ("nanos", duration.subsec_nanos().into())];
                visitor.visit_map(MapDeserializer::new(parts.into_iter()))
            }
            Kind::Map(map) => {
                let entries = map.iter().map(|(key, node)| (key.as_str(), node));
                visitor.visit_map(Entries { entries, value: None, fields })
            }
            // A section with nothing in it: its fields may all have defaults.
            Kind::Null => visitor.visit_map(MapDeserializer::<_, Misfit>::new(std::iter::empty::<(&str, &str)>())),
            // By their places nobody would know what the values of a list are.
            Kind::List(_) => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match (&self.kind, self.as_text()) {
            (Kind::Map(map), _) if map.len() == 1 => {
                let (name, value) = map.iter().next().expect("it has one entry");
                visitor.visit_enum(Variant { name, value: Some(value) })
            }
            (Kind::Map(_) | Kind::List(_), _) | (_, None) => {
                Err(de::Error::invalid_type(self.unexpected(), &"the name of a variant, or a map of one variant"))
            }
            (_, Some(name)) => visitor.visit_enum(Variant { name, value: None }),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 bytes byte_buf unit unit_struct seq tuple tuple_struct map
        ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Misfit> for &'de Node {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        self.0.next().map(|item| seed.deserialize(item)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'de, I> {
    entries: I,
    value: Option<&'de Node>,
    /// What a struct calls its fields: a variable's name tells no capitals.
    fields: &'static [&'static str],
}

impl<'de, I: Iterator<Item = (&'de str, &'de Node)>> MapAccess<'de> for Entries<'de, I> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((key, node)) = self.entries.next() else { return Ok(None) };
        self.value = Some(node);
        let field = match self.fields.contains(&key) {
            true => None,
            false => self.fields.iter().find(|field| node.spells(key, field)),
        };
        seed.deserialize(StrDeserializer::<Misfit>::new(field.copied().unwrap_or(key))).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        seed.deserialize(self.value.take().expect("a key comes first"))
    }
}

struct Variant<'de> {
    name: &'de str,
    value: Option<&'de Node>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Misfit;
    type Variant = Content<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'de>), Misfit> {
        Ok((seed.deserialize(StrDeserializer::<Misfit>::new(self.name))?, Content(self.value)))
    }
}

struct Content<'de>(Option<&'de Node>);

impl<'de> Content<'de> {
    fn value(self) -> Result<&'de Node, Misfit> {
        self.0.ok_or_else(|| Misfit("this variant has fields: write a map of the variant's name and its fields".into()))
    }
}

impl<'de> VariantAccess<'de> for Content<'de> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        match self.0.map(|node| &node.kind) {
            None | Some(Kind::Null) => Ok(()),
            Some(_) => Err(Misfit("this variant has no fields: write its name alone".into())),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        seed.deserialize(self.value()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        self.value()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Misfit> {
        self.value()?.deserialize_struct("", fields, visitor)
    }
}

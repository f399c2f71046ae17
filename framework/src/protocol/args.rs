//! Arguments, straight from a request's body into the parameters of a method, with no value tree between.

use std::fmt;

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::excerpt;
use crate::codec::{DecodeError, Format};

/// One parameter of a method, as callers see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Its type, as the method writes it: for people, and for nothing else.
    pub ty: &'static str,
    /// The value of its `#[default(…)]`, as the method writes it.
    pub default: Option<&'static str>,
    /// Whether a call without it is refused.
    pub required: bool,
    /// Whether its value must not appear in logs, traces or errors.
    pub sensitive: bool,
}

/// The parameters of one method, each not yet given. Implemented by the macros.
pub trait Args<'de>: Default {
    /// The parameters in order, without `#[inject]` ones.
    const PARAMS: &'static [Param];

    /// The place of a parameter.
    fn index(name: &str) -> Option<usize>;

    /// Whether the parameter at this place has a value.
    fn is_set(&self, index: usize) -> bool;

    /// Decodes the parameter at this place.
    ///
    /// # Errors
    ///
    /// The deserializer's.
    fn set<D: Deserializer<'de>>(&mut self, index: usize, deserializer: D) -> Result<(), D::Error>;
}

/// Why a request's arguments do not fit the method. Its text names the argument.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgError {
    /// The body is no request: not of its codec, or without `args` and `kwargs`.
    #[error("{0}")]
    Malformed(String),
    /// The arguments do not bind.
    #[error("{0}")]
    Signature(String),
}

/// Decodes `{"args": […], "kwargs": {…}}` into the parameters of a method: by position, by name, or mixed.
///
/// # Errors
///
/// [`ArgError::Malformed`] for a body that is no request, [`ArgError::Signature`] for arguments that are unknown,
/// missing, doubled, too many or of another type.
pub fn decode_args<'de, A: Args<'de>>(format: &Format, body: &'de [u8]) -> Result<A, ArgError> {
    let mut track = Track::default();
    let decoded = format.decode_with(body, |source| {
        let mut args = A::default();
        track = Track::default();
        source.decode(BodySeed { args: &mut args, track: &mut track })?;
        Ok(args)
    });
    let args = match decoded {
        Ok(args) => args,
        Err(error) => return Err(explain::<A>(format, body, track, error)),
    };
    if track.seen != (true, true) {
        return Err(ArgError::Malformed("message missing `args` or `kwargs`".to_owned()));
    }
    for (index, param) in A::PARAMS.iter().enumerate() {
        if param.required && !args.is_set(index) {
            return Err(ArgError::Signature(format!("missing argument `{}`", param.name)));
        }
    }
    Ok(args)
}

/// What was happening in the body when decoding stopped, kept beside the decoder so that no error text has to be read.
#[derive(Default)]
struct Track {
    section: Option<Section>,
    at: Option<usize>,
    problem: Option<String>,
    seen: (bool, bool),
}

#[derive(Clone, Copy, PartialEq)]
enum Section {
    Args,
    Kwargs,
}

#[cold]
fn explain<'de, A: Args<'de>>(format: &Format, body: &'de [u8], track: Track, error: DecodeError) -> ArgError {
    if let Some(problem) = track.problem {
        return ArgError::Signature(problem);
    }
    if error.malformed {
        return ArgError::Malformed(error.text);
    }
    match (track.at, track.section) {
        (Some(index), Some(section)) => ArgError::Signature(explain_value::<A>(format, body, section, index, &error)),
        (None, Some(Section::Args)) => ArgError::Signature("`args` must be a list".to_owned()),
        (None, Some(Section::Kwargs)) => ArgError::Signature("`kwargs` must be a map".to_owned()),
        (_, None) => ArgError::Malformed("the body must be a map with `args` and `kwargs`".to_owned()),
    }
}

/// Above this size a wrong type is told without its place: a tree takes up to 70 times the bytes of its body.
const EXPLAIN_BYTES: usize = 64 * 1024;

/// Decodes the one ill-typed argument again, from a value tree, to name the place inside it: `lines[1].qty`.
fn explain_value<'de, A: Args<'de>>(
    format: &Format,
    body: &'de [u8],
    section: Section,
    index: usize,
    error: &DecodeError,
) -> String {
    let param = A::PARAMS[index];
    if param.sensitive {
        return format!("argument `{}`: wrong type", param.name);
    }
    let whole = (body.len() <= EXPLAIN_BYTES).then(|| format.decode_value(body).ok()).flatten();
    let value = whole.and_then(|mut request| {
        let value = match section {
            Section::Args => request.get_mut("args")?.get_mut(index)?,
            Section::Kwargs => request.get_mut("kwargs")?.get_mut(param.name)?,
        };
        Some(value.take())
    });
    let mut place = serde_path_to_error::Track::new();
    let refused = value.and_then(|value| {
        let deserializer = serde_path_to_error::Deserializer::new(value, &mut place);
        let mut erased = <dyn erased_serde::Deserializer<'de>>::erase(deserializer);
        A::default().set(index, &mut erased as &mut dyn erased_serde::Deserializer<'de>).err()
    });
    let text = refused.map_or_else(|| error.text.clone(), excerpt);
    let path = place.path().to_string();
    let separator = if path.starts_with(['[', '.']) || path == "." || path.is_empty() { "" } else { "." };
    let path = if path == "." { "" } else { &path };
    excerpt(format_args!("argument `{}{separator}{path}`: {text}", param.name))
}

/// Marks an error whose text nobody reads, since [`Track::problem`] has the real one.
const REFUSED: &str = "refused";

struct BodySeed<'a, A> {
    args: &'a mut A,
    track: &'a mut Track,
}

impl<'de, A: Args<'de>> DeserializeSeed<'de> for BodySeed<'_, A> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, A: Args<'de>> Visitor<'de> for BodySeed<'_, A> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map with `args` and `kwargs`")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key_seed(KeySeed(|key: &str| match key {
            "args" => Some(Section::Args),
            "kwargs" => Some(Section::Kwargs),
            _ => None,
        }))? {
            let Some(section) = key else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.track.section = Some(section);
            match section {
                Section::Args => {
                    self.track.seen.0 = true;
                    map.next_value_seed(PositionalSeed { args: self.args, track: self.track })?;
                }
                Section::Kwargs => {
                    self.track.seen.1 = true;
                    map.next_value_seed(NamedSeed { args: self.args, track: self.track })?;
                }
            }
            self.track.section = None;
        }
        Ok(())
    }
}

/// Looks a map key up without keeping it.
struct KeySeed<F>(F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for KeySeed<F> {
    type Value = T;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<T, F: FnOnce(&str) -> T> Visitor<'_> for KeySeed<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<T, E> {
        Ok((self.0)(key))
    }
}

struct PositionalSeed<'a, A> {
    args: &'a mut A,
    track: &'a mut Track,
}

impl<'de, A: Args<'de>> DeserializeSeed<'de> for PositionalSeed<'_, A> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, A: Args<'de>> Visitor<'de> for PositionalSeed<'_, A> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of arguments")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<(), S::Error> {
        for (index, param) in A::PARAMS.iter().enumerate() {
            if self.args.is_set(index) {
                // Named ones came first in the body; is there a positional one for it as well?
                if seq.next_element::<IgnoredAny>()?.is_some() {
                    self.track.problem = Some(format!("argument `{}` given twice", param.name));
                    return Err(S::Error::custom(REFUSED));
                }
                return Ok(());
            }
            if seq.next_element_seed(SlotSeed { args: self.args, track: self.track, index })?.is_none() {
                return Ok(());
            }
        }
        let mut extra = 0;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            extra += 1;
        }
        if extra > 0 {
            let takes = A::PARAMS.len();
            let (plural, given) = (if takes == 1 { "" } else { "s" }, takes + extra);
            self.track.problem = Some(format!("takes {takes} argument{plural}, got {given}"));
            return Err(S::Error::custom(REFUSED));
        }
        Ok(())
    }
}

struct NamedSeed<'a, A> {
    args: &'a mut A,
    track: &'a mut Track,
}

impl<'de, A: Args<'de>> DeserializeSeed<'de> for NamedSeed<'_, A> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, A: Args<'de>> Visitor<'de> for NamedSeed<'_, A> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of named arguments")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(key) = map.next_key_seed(KeySeed(|key: &str| A::index(key).ok_or_else(|| unknown::<A>(key))))? {
            let index = match key {
                Ok(index) if !self.args.is_set(index) => index,
                Ok(index) => {
                    self.track.problem = Some(format!("argument `{}` given twice", A::PARAMS[index].name));
                    return Err(M::Error::custom(REFUSED));
                }
                Err(problem) => {
                    self.track.problem = Some(problem);
                    return Err(M::Error::custom(REFUSED));
                }
            };
            map.next_value_seed(SlotSeed { args: self.args, track: self.track, index })?;
        }
        Ok(())
    }
}

#[cold]
fn unknown<'de, A: Args<'de>>(name: &str) -> String {
    // The name is the caller's text: bounded, so that an error cannot be made huge.
    let name: String = name.chars().take(64).collect();
    match kinoko_text::nearest(&name, A::PARAMS.iter().map(|param| param.name)) {
        Some(known) => format!("unknown argument `{name}`: did you mean `{known}`?"),
        None => format!("unknown argument `{name}`"),
    }
}

struct SlotSeed<'a, A> {
    args: &'a mut A,
    track: &'a mut Track,
    index: usize,
}

impl<'de, A: Args<'de>> DeserializeSeed<'de> for SlotSeed<'_, A> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.track.at = Some(self.index);
        self.args.set(self.index, deserializer)?;
        self.track.at = None;
        Ok(())
    }
}

use std::ops::Deref;

use data_encoding::HEXLOWER;

use crate::protocol::{Properties, context_data};

/// The trace and the span that something belongs to, as W3C's `traceparent` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceContext {
    /// Not 0.
    pub(crate) trace_id: u128,
    /// Not 0.
    pub(crate) span_id: u64,
    /// Whether whoever began the trace records it: everybody else follows.
    pub(crate) sampled: bool,
}

/// The place of a worker in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) own: TraceContext,
    /// The span of who caused it.
    pub(crate) parent: Option<u64>,
}

const SAMPLED: u8 = 1;

impl TraceContext {
    /// The one that a message names, not of the short path.
    pub(crate) fn of(properties: &Properties) -> Option<Self> {
        context_data::trace_parent(properties, false).and_then(Self::parse)
    }

    /// The first span of a trace.
    pub(super) fn root(sampled: bool) -> Self {
        // fastrand suffices: an id must be new, not secret.
        Self { trace_id: fastrand::u128(1..), span_id: fastrand::u64(1..), sampled }
    }

    /// Another span of the same trace.
    pub(crate) fn child(self) -> Self {
        Self { span_id: fastrand::u64(1..), ..self }
    }

    /// Reads a `traceparent`: `00-{trace id}-{span id}-{flags}`. `None`: it is none, and a new trace begins, as W3C wants it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (known, rest) = (text.get(..55)?, text.get(55..)?);
        let [version] = hex(known.get(..2)?)?;
        // Later versions may say more after what we know.
        let fits = if version == 0 { rest.is_empty() } else { rest.is_empty() || rest.starts_with('-') };
        let bytes = known.as_bytes();
        if version == 0xff || !fits || [2, 35, 52].iter().any(|place| bytes[*place] != b'-') {
            return None;
        }
        let trace_id = u128::from_be_bytes(hex(known.get(3..35)?)?);
        let span_id = u64::from_be_bytes(hex(known.get(36..52)?)?);
        let [flags] = hex(known.get(53..55)?)?;
        (trace_id != 0 && span_id != 0).then_some(Self { trace_id, span_id, sampled: flags & SAMPLED != 0 })
    }

    /// The `traceparent`. Every call writes one: by hand, it allocates nothing and takes a tenth of `format!`'s time.
    pub(crate) fn header(self) -> TraceParent {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        HEXLOWER.encode_mut(&self.trace_id.to_be_bytes(), &mut text[3..35]);
        HEXLOWER.encode_mut(&self.span_id.to_be_bytes(), &mut text[36..52]);
        HEXLOWER.encode_mut(&[u8::from(self.sampled)], &mut text[53..]);
        TraceParent(text)
    }

    /// As people and stores write it.
    pub(crate) fn trace_id(self) -> String {
        format!("{:032x}", self.trace_id)
    }
}

/// A `traceparent` that was written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TraceParent([u8; 55]);

impl Deref for TraceParent {
    type Target = str;

    fn deref(&self) -> &str {
        // Digits and dashes.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Lower-case digits alone, as W3C wants them.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let fits = text.len() == 2 * N && HEXLOWER.decode_mut(text.as_bytes(), &mut bytes).is_ok();
    fits.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_is_read_as_it_is_written() {
        for sampled in [true, false] {
            let context = TraceContext::root(sampled);
            assert_eq!(TraceContext::parse(&context.header()), Some(context));
            let child = context.child();
            assert!(child.trace_id == context.trace_id && child.span_id != context.span_id);
        }
        let known = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = TraceContext::parse(known).unwrap();
        assert_eq!(&*context.header(), known);
        assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }

    #[test]
    fn what_is_no_traceparent_begins_a_new_trace() {
        for bad in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-0",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
        let later = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more";
        assert!(TraceContext::parse(later).unwrap().sampled);
    }
}

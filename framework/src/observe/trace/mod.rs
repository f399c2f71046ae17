//! What ties together the spans of one cause: W3C trace context, made, read, written, and sampled.

mod context;
mod tracer;

pub(crate) use self::{
    context::{Trace, TraceContext},
    tracer::Tracer,
};

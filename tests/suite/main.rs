//! What services, clients, dependencies and containers promise, through the public API, on the in-memory transport.

mod arguments;
mod attempts;
mod canary;
mod clients;
mod codecs;
mod command_line;
mod context;
mod contracts;
mod dead_letters;
mod deadlines;
mod dependencies;
mod dispatching;
mod errors;
mod events;
mod hooks;
mod inject;
mod limits;
mod logs;
mod panics;
mod publishing;
mod results;
mod settings;
mod shutdown;
mod starting;
mod testing;
mod tls;

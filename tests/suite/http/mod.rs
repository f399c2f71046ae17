//! Services that answer HTTP requests, through the client that has no socket.

mod answers;
mod binding;
mod context;
mod extractors;
mod gate;
mod routes;
mod server;
mod streams;
mod validation;
mod websockets;
mod workers;

//! Services that answer HTTP requests, through the client that has no socket.

mod answers;
mod context;
mod extractors;
mod routes;
mod streams;
mod websockets;
mod workers;

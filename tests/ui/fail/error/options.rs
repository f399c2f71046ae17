use kinoko::prelude::*;

#[derive(Debug, thiserror::Error, ServiceError)]
enum StockError {
    #[error("a")]
    #[fault(http = 200)]
    A,
    #[error("b")]
    #[fault(http = "404")]
    B,
    #[error("c")]
    #[fault(grpc = "NOTFOUND")]
    C,
    #[error("d")]
    #[fault(status = 404)]
    D,
    #[error("e")]
    #[fault(internal, forward)]
    E(String),
    #[error("f")]
    #[fault(forward)]
    F,
    #[error("g")]
    #[fault(internal, http = 404)]
    G,
    #[error("h")]
    #[fault(code = "")]
    H,
    #[error("i")]
    #[fault(retry = "no")]
    I,
    #[error("j {0}")]
    J(#[fault(internal)] String),
    #[error("k")]
    #[fault(forward = true)]
    K(String),
}

fn main() {}

use kinoko::prelude::*;

#[derive(Debug, thiserror::Error, ServiceError)]
enum OrderError {
    #[error("empty")]
    Empty,
}

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc(expected(Emtpy))]
    fn place(&self) -> Result<u32, OrderError> {
        Err(OrderError::Empty)
    }
}

fn main() {}

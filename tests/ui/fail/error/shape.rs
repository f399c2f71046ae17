use kinoko::prelude::*;

#[derive(ServiceError)]
union Either {
    left: u8,
    right: u8,
}

#[derive(Debug, ServiceError)]
enum Generic<T> {
    One(T),
}

#[derive(Debug, thiserror::Error, ServiceError)]
#[fault(code = "LIMIT")]
enum OnTheType {
    #[error("limit")]
    Limit,
}

fn main() {}

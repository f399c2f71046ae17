// One mistake in each of four items: four errors, and nothing else.
use kinoko::prelude::*;

#[derive(Debug, thiserror::Error, ServiceError)]
enum OrderError {
    #[error("no order {0}")]
    #[fault(htp = 404)]
    Unknown(u64),
}

#[contract(name = "orders")]
trait Places {
    async fn place(&self, id: &mut u64) -> Result<u64, OrderError>;
    async fn get(&self, id: u64) -> Result<u64, OrderError>;
}

#[derive(Dependencies)]
struct Orders {
    #[dependency(timeout = "2 parsecs")]
    places: PlacesClient,
}

#[service(name = "order_book")]
impl Orders {
    #[rpc]
    async fn count(self) -> u64 {
        3
    }

    #[rpc]
    async fn get(&self, id: u64) -> Result<u64, OrderError> {
        self.places.get(id).await.map_err(|_| OrderError::Unknown(id))
    }
}

async fn caller(orders: OrdersClient) {
    let _ = orders.get(3).await;
}

fn main() {}

use kinoko::prelude::*;

struct Order;

type Fallible<T> = Result<T, kinoko::Error>;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    async fn plain(&self) -> Order {
        Order
    }

    #[rpc]
    async fn alias(&self) -> Fallible<Order> {
        Ok(Order)
    }

    #[rpc]
    fn list(&self) -> Result<Vec<Order>, kinoko::Error> {
        Ok(vec![])
    }
}

fn main() {}

use kinoko::prelude::*;

type Fallible<T> = Result<T, std::fmt::Error>;

#[derive(Dependencies)]
struct Orders;

#[service(name = "orders")]
impl Orders {
    #[rpc]
    async fn read(&self) -> Result<u32, std::io::Error> {
        Ok(1)
    }

    #[rpc]
    fn text(&self) -> Result<u32, String> {
        Ok(1)
    }

    #[rpc]
    fn alias(&self) -> Fallible<u32> {
        Ok(1)
    }
}

fn main() {}

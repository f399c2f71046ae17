//! Several instances of one service: where calls go.

use kinoko::{App, RunningApp, Settings, grpc::GrpcClient, prelude::*};
use kinoko_tests::protos::stock::{Item, Level, Stock};

use super::item;

/// Says which one it is.
#[derive(Dependencies)]
struct Numbered {
    #[dependency(key = "number")]
    number: Config<u32>,
}

#[service(name = "grpc_numbered")]
impl Numbered {
    #[grpc(Stock::check)]
    fn check(&self, request: Item) -> Level {
        Level { sku: request.sku, left: *self.number }
    }
}

#[derive(Dependencies)]
struct Asker {
    stock: GrpcClient<Stock>,
}

#[service(name = "grpc_asker")]
impl Asker {
    #[rpc]
    async fn which(&self) -> kinoko::Result<u32> {
        Ok(self.stock.check(item("ANY")).await?.left)
    }
}

async fn instance(number: u32) -> RunningApp {
    let mut settings = Settings::from_yaml("grpc: {address: '127.0.0.1:0'}").unwrap();
    settings.set("number", number);
    App::new().service::<Numbered>().settings(settings).start().await.unwrap()
}

async fn asker(instances: &[&RunningApp]) -> RunningApp {
    let mut settings = Settings::default();
    let addresses: Vec<_> = instances.iter().map(|app| app.grpc_address().unwrap().to_string()).collect();
    settings.set("discovery.services.stock", addresses);
    App::new().service::<Asker>().settings(settings).start().await.unwrap()
}

#[tokio::test]
async fn calls_go_to_the_instances_in_turn_and_round_one_that_is_gone() {
    let (one, two) = (instance(1).await, instance(2).await);
    let app = asker(&[&one, &two]).await;
    let client = app.client::<AskerClient>();
    let mut which = Vec::new();
    for _ in 0..6 {
        which.push(client.which().await.unwrap());
    }
    assert_eq!(which, [1, 2, 1, 2, 1, 2]);
    two.stop().await.unwrap();
    // The connection is gone, and nobody listens any more: the call that finds it out goes to the other.
    for _ in 0..6 {
        assert_eq!(client.which().await.unwrap(), 1);
    }
    app.stop().await.unwrap();
    one.stop().await.unwrap();
}

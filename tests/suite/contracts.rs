//! Contracts: served in both forms, faked by a plain impl.

use kinoko::{CallError, prelude::*};

#[derive(Debug, PartialEq, thiserror::Error, ServiceError)]
pub(crate) enum NoSuch {
    #[error("no {0}")]
    Item(u32),
}

/// What both services below serve.
#[contract(name = "contracts_items")]
pub(crate) trait Items {
    /// An item's name.
    async fn name(&self, id: u32) -> Result<String, NoSuch>;
    /// How many there are.
    fn count(&self, #[default(0u32)] above: u32) -> u32;
}

#[derive(Dependencies)]
struct ByTrait;

impl Items for ByTrait {
    async fn name(&self, id: u32) -> Result<String, NoSuch> {
        if id == 1 { Ok("one".into()) } else { Err(NoSuch::Item(id)) }
    }
    fn count(&self, above: u32) -> u32 {
        1 + above
    }
}

#[service(contract = Items)]
impl ByTrait {}

#[derive(Dependencies)]
struct ByBlock;

#[service(contract = Items)]
impl ByBlock {
    #[rpc]
    async fn name(&self, #[inject] cx: WorkerContext, id: u32) -> Result<String, NoSuch> {
        if id == 1 { Ok(cx.entrypoint().to_owned()) } else { Err(NoSuch::Item(id)) }
    }
    #[rpc]
    fn count(&self, #[default(0u32)] above: u32) -> u32 {
        2 + above
    }
}

#[tokio::test]
async fn both_forms_serve_the_contract_under_its_name() {
    for (app, name, count) in
        [(App::new().service::<ByTrait>(), "one", 1), (App::new().service::<ByBlock>(), "name", 2)]
    {
        let app = app.start().await.unwrap();
        let items = app.client::<ItemsClient>();
        assert_eq!(items.name(1).await.unwrap(), name);
        assert!(matches!(items.name(9).await, Err(CallError::Service(NoSuch::Item(9)))));
        assert_eq!(items.count(3).await.unwrap(), count + 3);
        assert_eq!(app.proxy().call("contracts_items", "count").await.unwrap(), count);
        app.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_fake_is_a_plain_impl_and_goes_through_the_codec() {
    struct Fake;
    impl Items for Fake {
        async fn name(&self, id: u32) -> Result<String, NoSuch> {
            Err(NoSuch::Item(id + 1))
        }
        fn count(&self, _: u32) -> u32 {
            42
        }
    }
    let items = ItemsClient::from_service(Fake);
    assert_eq!(items.count(0).await.unwrap(), 42);
    assert!(matches!(items.name(1).await, Err(CallError::Service(NoSuch::Item(2)))));
}

//! Calls by gRPC: the token in their metadata, and what it opens.

use kinoko::{
    CallError,
    auth::{Identity, Jwt},
    grpc::GrpcClient,
    prelude::*,
    testing::{RunningTestApp, TestApp},
};
use kinoko_tests::protos::stock::{Item, Level, Stock};

use super::{SECRET, token};

#[derive(Dependencies)]
struct GrpcVault {
    jwt: Jwt,
    stock: GrpcClient<Stock>,
}

#[service(name = "vault")]
impl GrpcVault {
    /// Calls itself again, with the caller's token.
    #[grpc(Stock::check)]
    #[guard(role = "keeper")]
    async fn check(&self, request: Item, #[inject] who: Identity) -> kinoko::Result<Level> {
        if request.sku == "AGAIN" {
            return Ok(self.stock.check(Item { sku: "ONCE".into() }).await?);
        }
        Ok(Level { sku: who.subject().to_owned(), left: 1 })
    }

    #[grpc(Stock::clear)]
    fn clear(&self) {}
}

async fn vault() -> (RunningTestApp, GrpcClient<Stock>) {
    let app =
        TestApp::new().service::<GrpcVault>().yaml(&format!("jwt: {{secret: '{SECRET}'}}")).start().await.unwrap();
    let stock = app.grpc::<Stock>().unwrap();
    (app, stock)
}

#[tokio::test]
async fn a_token_opens_what_its_roles_open() {
    let (app, stock) = vault().await;
    let item = || Item { sku: "TEAPOT".into() };
    let (keeper, guest) = (token(&app, &["keeper"], ""), token(&app, &["guest"], ""));
    assert_eq!(stock.check(item()).auth_token(&keeper).await.unwrap().sku, "ada");
    assert!(matches!(stock.check(item()).auth_token(&guest).await, Err(CallError::Forbidden(_))));
    assert!(matches!(stock.check(item()).await, Err(CallError::Unauthenticated(_))));
    assert!(matches!(stock.check(item()).auth_token("x.y.z").await, Err(CallError::Unauthenticated(_))));
    // A method of which nothing is said is closed, as by every other way in.
    assert!(matches!(stock.clear(()).auth_token(&keeper).await, Err(CallError::Forbidden(_))));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn the_identity_travels_along_nested_calls() {
    let (app, stock) = vault().await;
    let keeper = token(&app, &["keeper"], "");
    let again = stock.check(Item { sku: "AGAIN".into() }).auth_token(&keeper).await.unwrap();
    assert_eq!(again.sku, "ada");
    app.stop().await.unwrap();
}

//! What a method is told of its caller.

use kinoko::{
    Context, UserId,
    auth::{Claims, Identity, Jwt},
    prelude::*,
    testing::TestApp,
};
use serde_json::{Map, Value, json};

#[derive(serde::Deserialize)]
struct Shopper {
    sub: String,
    tenant: String,
    #[serde(default)]
    age: u32,
}

#[derive(Dependencies)]
struct Shop {
    jwt: Jwt,
}

#[service(name = "claims_shop")]
impl Shop {
    #[rpc]
    #[guard]
    fn mine(&self, #[inject] claims: Claims<Shopper>) -> (String, String, u32) {
        assert_eq!(claims.identity().subject(), claims.sub);
        (claims.sub.clone(), claims.tenant.clone(), claims.age)
    }

    /// A parameter that needs somebody guards by itself.
    #[rpc]
    #[public]
    fn required(&self, #[inject] claims: Claims<Map<String, Value>>) -> usize {
        claims.len()
    }

    #[rpc]
    #[public]
    fn perhaps(&self, #[inject] claims: Option<Claims<Shopper>>) -> Option<String> {
        claims.map(|claims| claims.into_inner().tenant)
    }

    #[rpc]
    #[public]
    fn users(
        &self,
        #[inject] by_name: Option<UserId>,
        #[inject] who: Option<Identity>,
        #[inject] cx: WorkerContext,
    ) -> (Option<String>, Option<String>, Option<Value>) {
        (by_name.map(|user| user.0), who.map(|who| who.subject().to_owned()), cx.get("user_id").cloned())
    }

    #[rpc]
    #[public]
    fn must_be_somebody(&self, #[inject] Context(user): Context<UserId>) -> String {
        user.0
    }

    /// Its token is not looked at, so nobody is believed.
    #[rpc]
    #[public]
    fn raw(&self, #[inject] cx: WorkerContext) -> Option<Value> {
        cx.get("user_id").cloned()
    }
}

#[tokio::test]
async fn claims_are_of_the_programs_own_type() {
    let app = TestApp::new().service::<Shop>().start().await.unwrap();
    let shop = app.client::<ShopClient>();
    let token = |claims: Value| app.token(&claims).unwrap();
    let ada = token(json!({"sub": "ada", "tenant": "acme", "age": 36}));
    assert_eq!(shop.mine().auth_token(&ada).await.unwrap(), ("ada".into(), "acme".into(), 36));
    // A valid token whose claims are not what the program wants.
    let misfit = token(json!({"sub": "ada", "tenant": 7}));
    let answer = shop.mine().auth_token(&misfit).await;
    assert!(matches!(&answer, Err(CallError::Unauthenticated(text)) if text == "the token is not valid"), "{answer:?}");
    assert!(matches!(shop.required().await, Err(CallError::Unauthenticated(_))));
    assert!(shop.required().auth_token(&ada).await.unwrap() >= 5);
    assert_eq!(shop.perhaps().await.unwrap(), None);
    assert_eq!(shop.perhaps().auth_token("x").await.unwrap(), None);
    assert_eq!(shop.perhaps().auth_token(&ada).await.unwrap().as_deref(), Some("acme"));
    assert!(matches!(shop.perhaps().auth_token(&misfit).await, Err(CallError::Unauthenticated(_))));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_user_id_is_whom_the_verified_token_names() {
    let app = TestApp::new().service::<Shop>().start().await.unwrap();
    let shop = app.client::<ShopClient>();
    let ada = app.token(&json!({"sub": "ada"})).unwrap();
    let named = |name: &str| (Some(name.to_owned()), Some(name.to_owned()), Some(json!(name)));
    assert_eq!(shop.users().auth_token(&ada).await.unwrap(), named("ada"));
    assert_eq!(shop.users().auth_token(&ada).context("user_id", "root").await.unwrap(), named("ada"));
    assert_eq!(shop.users().context("user_id", "root").await.unwrap(), (None, None, None));
    assert_eq!(shop.users().context("user_id", "root").auth_token("x").await.unwrap(), (None, None, None));
    assert_eq!(shop.raw().context("user_id", "root").auth_token(&ada).await.unwrap(), None);
    assert_eq!(shop.must_be_somebody().auth_token(&ada).await.unwrap(), "ada");
    assert!(shop.must_be_somebody().context("user_id", "root").await.is_err());
    app.stop().await.unwrap();
}

#[tokio::test]
async fn roles_and_scopes_may_stand_elsewhere() {
    let settings = "jwt: {roles_claim: realm_access.roles, scope_claim: scp}";
    let app = TestApp::new().service::<super::Vault>().service::<super::Behind>().yaml(settings).start().await.unwrap();
    let vault = app.client::<super::VaultClient>();
    let token = app.token(&json!({
        "sub": "ada", "realm_access": {"roles": ["keeper"]}, "scp": ["vault:read", "vault:list"], "roles": [], "scope": "",
    }));
    let token = token.unwrap();
    assert_eq!(vault.open().auth_token(&token).await.unwrap(), 1);
    assert_eq!(vault.read().auth_token(&token).await.unwrap(), 2);
    app.stop().await.unwrap();
}

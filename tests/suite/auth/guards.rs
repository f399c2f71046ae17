//! Calls by RPC: whom each attribute lets in, and what the others are told.

use std::convert::Infallible;

use kinoko::{
    auth::{Identity, Jwt, Key},
    prelude::*,
    testing::TestApp,
};
use kinoko_tests::captured_log;
use serde_json::json;

use super::{SECRET, VaultClient, app, token};

fn is_unauthenticated<T, E>(answer: &Result<T, CallError<E>>) -> bool {
    matches!(answer, Err(CallError::Unauthenticated(_)))
}

fn is_forbidden<T, E>(answer: &Result<T, CallError<E>>) -> bool {
    matches!(answer, Err(CallError::Forbidden(_)))
}

#[tokio::test]
async fn any_valid_token_passes_a_guard_without_options() {
    let app = app().await;
    let vault = app.client::<VaultClient>();
    let ada = token(&app, &[], "");
    assert_eq!(vault.who().auth_token(&ada).await.unwrap(), "ada");
    let without = vault.who().await;
    assert!(is_unauthenticated(&without), "{without:?}");
    assert!(!without.unwrap_err().may_have_run());
    for broken in ["", "x", "a.b.c", &ada[1..], &ada[..ada.len() - 1]] {
        let answer = vault.who().auth_token(broken).await;
        assert!(is_unauthenticated(&answer), "{broken}: {answer:?}");
    }
    for other in [json!(7), json!(null), json!([ada]), json!({"token": ada})] {
        let answer = vault.who().context("auth_token", other.clone()).await;
        assert!(is_unauthenticated(&answer), "{other}: {answer:?}");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn one_role_and_all_scopes_and_all_guards() {
    let app = app().await;
    let vault = app.client::<VaultClient>();
    let call = |roles: &[&str], scope: &str| token(&app, roles, scope);
    for (roles, passes) in [
        (&["keeper"][..], true),
        (&["owner", "guest"], true),
        (&["guest"], false),
        (&[], false),
        (&["Keeper"], false),
        (&["keeper owner"], false),
    ] {
        let answer = vault.open().auth_token(&call(roles, "")).await;
        assert_eq!(answer.is_ok(), passes, "{roles:?}: {answer:?}");
        assert!(passes || is_forbidden(&answer), "{answer:?}");
    }
    for (scope, passes) in [
        ("vault:read vault:list", true),
        ("other vault:list vault:read", true),
        ("vault:read", false),
        ("vault:rea vault:list", false),
        ("", false),
        ("vault:read\tvault:list", false),
    ] {
        let answer = vault.read().auth_token(&call(&[], scope)).await;
        assert_eq!(answer.is_ok(), passes, "{scope}: {answer:?}");
    }
    for (roles, scope, passes) in [
        (&["keeper", "berlin"][..], "vault:read", true),
        (&["keeper", "berlin"], "", false),
        (&["keeper"], "vault:read", false),
        (&["berlin"], "vault:read", false),
    ] {
        let answer = vault.both().auth_token(&call(roles, scope)).await;
        assert_eq!(answer.is_ok(), passes, "{roles:?} {scope}: {answer:?}");
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn what_has_neither_attribute_is_closed_and_said_so_at_the_start() {
    captured_log();
    let app = app().await;
    let vault = app.client::<VaultClient>();
    let all = token(&app, &["keeper", "owner", "berlin"], "vault:read vault:list");
    for answer in [vault.closed().await, vault.closed().auth_token(&all).await] {
        assert!(is_forbidden(&answer), "{answer:?}");
    }
    app.stop().await.unwrap();
    let log = captured_log();
    let warned = |line: &&str| line.contains("nobody may call these methods") && line.contains("service=\"vault\"");
    let line = log.lines().find(warned).expect("it is warned of");
    assert!(line.contains("methods=\"closed\""), "{line}");
}

#[tokio::test]
async fn a_public_method_takes_everybody_and_believes_nobody_without_a_valid_token() {
    let app = app().await;
    let vault = app.client::<VaultClient>();
    let ada = token(&app, &[], "");
    assert_eq!(vault.front().await.unwrap(), None);
    assert_eq!(vault.front().auth_token("forged").await.unwrap(), None);
    assert_eq!(vault.front().context("user_id", "root").await.unwrap(), None);
    assert_eq!(vault.front().auth_token(&ada).await.unwrap().as_deref(), Some("ada"));
    app.stop().await.unwrap();
}

#[tokio::test]
async fn arguments_are_not_looked_at_before_the_caller_is() {
    let app = app().await;
    let answer = app.proxy().call("vault", "open").kwarg("no_such", 1).await;
    assert!(is_unauthenticated(&answer), "{answer:?}");
    let keeper = token(&app, &["keeper"], "");
    let answer = app.proxy().call("vault", "open").kwarg("no_such", 1).auth_token(&keeper).await;
    assert!(matches!(answer, Err(CallError::BadRequest(_))), "{answer:?}");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn the_token_goes_along_with_nested_calls_and_each_service_looks_itself() {
    let app = app().await;
    let vault = app.client::<VaultClient>();
    let keeper = token(&app, &["keeper"], "");
    assert_eq!(vault.nested_as_caller().auth_token(&keeper).await.unwrap(), (Some("ada".into()), true));
    // The inner service's own refusal comes back as what it is, and as something that happened after this one had run.
    let guest = token(&app, &["guest"], "");
    match vault.nested_as_caller().auth_token(&guest).await {
        Err(CallError::Service(super::NestedError::Behind(CallError::Remote(fault))))
        | Err(CallError::Remote(fault)) => {
            assert_eq!((fault.code.as_deref(), fault.http), (Some("FORBIDDEN"), Some(403)));
        }
        other => panic!("{other:?}"),
    }
    app.stop().await.unwrap();
}

#[tokio::test]
async fn who_the_caller_says_it_is_does_not_pass_on_and_whom_its_token_names_does() {
    let app = app().await;
    let vault = app.client::<VaultClient>();
    // Nobody looked at the token: it passes on for others to look at, and the name does not.
    let answer = vault.nested().context("user_id", "root").auth_token("forged").await.unwrap();
    assert_eq!(answer, (None, true));
    // Somebody looked, and it is not to be believed.
    let answer = vault.nested_checked().context("user_id", "root").auth_token("forged").await.unwrap();
    assert_eq!(answer, (None, false));
    let ada = token(&app, &[], "");
    let answer = vault.nested_checked().context("user_id", "root").auth_token(&ada).await.unwrap();
    assert_eq!(answer, (Some("ada".into()), true));
    app.stop().await.unwrap();
}

#[derive(Dependencies)]
struct Trusting;

#[service(name = "trusting")]
impl Trusting {
    #[rpc]
    fn user(&self, #[inject] user: kinoko::UserId) -> String {
        user.0
    }
}

#[tokio::test]
async fn without_a_jwt_nothing_changes() {
    let app = TestApp::new().service::<Trusting>().start().await.unwrap();
    let client = app.client::<TrustingClient>();
    assert_eq!(client.user().context("user_id", "root").auth_token("x").await.unwrap(), "root");
    app.stop().await.unwrap();
}

#[contract(name = "stock")]
trait Stock {
    async fn left(&self, sku: String) -> u32;
}

macro_rules! stocked {
    ($name:ident) => {
        #[derive(Dependencies)]
        struct $name {
            #[allow(dead_code)]
            jwt: Jwt,
        }

        impl Stock for $name {
            async fn left(&self, _: String) -> u32 {
                7
            }
        }
    };
}

stocked!(GuardedStock);
#[service(contract = Stock)]
#[guard(role = "clerk")]
impl GuardedStock {}

stocked!(PublicStock);
#[service(contract = Stock)]
#[public]
impl PublicStock {
    #[event_handler("orders", "placed")]
    fn on_placed(&self) {}
}

stocked!(ClosedStock);
#[service(contract = Stock)]
impl ClosedStock {}

#[derive(Dependencies)]
struct OwnStock {
    #[allow(dead_code)]
    jwt: Jwt,
}

#[service(contract = Stock)]
impl OwnStock {
    #[rpc]
    #[guard(role = "clerk")]
    async fn left(&self, sku: String) -> u32 {
        sku.len() as u32
    }
}

async fn left<S: kinoko::service::Service>(roles: &[&str]) -> Result<u32, CallError<Infallible>> {
    let app = TestApp::new().service::<S>().start().await.unwrap();
    let token = app.token(&json!({"sub": "ada", "roles": roles})).unwrap();
    let answer = app.client::<StockClient>().left("TEAPOT".into()).auth_token(&token).await;
    app.stop().await.unwrap();
    answer
}

#[tokio::test]
async fn a_contract_served_as_it_is_is_guarded_by_its_block() {
    assert_eq!(left::<GuardedStock>(&["clerk"]).await.unwrap(), 7);
    assert!(is_forbidden(&left::<GuardedStock>(&["guest"]).await));
    assert_eq!(left::<OwnStock>(&["clerk"]).await.unwrap(), 6);
    assert!(is_forbidden(&left::<OwnStock>(&["guest"]).await));
    assert_eq!(left::<PublicStock>(&[]).await.unwrap(), 7);
    assert!(is_forbidden(&left::<ClosedStock>(&["clerk"]).await));
}

#[derive(Dependencies)]
struct Desk {
    #[allow(dead_code)]
    jwt: Jwt,
}

#[service(name = "desk")]
#[guard(role = "clerk")]
impl Desk {
    #[rpc]
    fn stamp(&self) -> u32 {
        1
    }

    #[rpc]
    #[public]
    fn hours(&self) -> u32 {
        2
    }

    #[rpc]
    #[guard(role = "guest")]
    fn wait(&self, #[inject] who: Identity) -> String {
        who.subject().into()
    }
}

#[tokio::test]
async fn a_methods_own_attribute_takes_the_place_of_its_blocks() {
    // A service that a test builds itself is guarded all the same.
    let jwt = Jwt::with_keys([Key::hs256(SECRET.as_bytes()).unwrap()]);
    let desk = DeskClient::from_service(Desk { jwt: jwt.clone() });
    let token = |role: &str| jwt.issue(&json!({"sub": "ada", "roles": [role]})).sign().unwrap();
    assert_eq!(desk.stamp().auth_token(&token("clerk")).await.unwrap(), 1);
    assert!(is_forbidden(&desk.stamp().auth_token(&token("guest")).await));
    assert_eq!(desk.hours().await.unwrap(), 2);
    assert_eq!(desk.wait().auth_token(&token("guest")).await.unwrap(), "ada");
    assert!(is_forbidden(&desk.wait().auth_token(&token("clerk")).await));
    assert!(is_unauthenticated(&desk.wait().await));
}

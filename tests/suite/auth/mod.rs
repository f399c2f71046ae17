//! Who may call: guards by every way in, tokens that are forged, keys, passwords.

mod claims;
mod forged;
mod grpc;
mod guards;
mod handled;
mod http;
mod keys;
mod passwords;
mod pyjwt;
mod revoked;
mod settings;

use kinoko::{
    auth::{Identity, Jwt},
    prelude::*,
    testing::{RunningTestApp, TestApp},
};
use serde_json::json;

/// A service with one method for each thing that can be said of who may.
#[derive(Dependencies)]
struct Vault {
    jwt: Jwt,
    behind: BehindClient,
}

#[service(name = "vault", http = "/vault")]
impl Vault {
    #[rpc]
    #[http(GET, "/who")]
    #[websocket]
    #[guard]
    fn who(&self, #[inject] who: Identity) -> String {
        who.subject().to_owned()
    }

    #[rpc]
    #[http(POST, "/open")]
    #[guard(role("keeper", "owner"))]
    fn open(&self) -> u32 {
        1
    }

    #[rpc]
    #[http(GET, "/read")]
    #[guard(scope("vault:read", "vault:list"))]
    fn read(&self) -> u32 {
        2
    }

    #[rpc]
    #[guard(role = "keeper")]
    #[guard(role = "berlin", scope = "vault:read")]
    fn both(&self) -> u32 {
        3
    }

    #[rpc]
    #[http(GET, "/front")]
    #[websocket]
    #[public]
    fn front(&self, #[inject] who: Option<Identity>) -> Option<String> {
        who.map(|who| who.subject().to_owned())
    }

    #[rpc]
    #[http(GET, "/closed")]
    #[websocket]
    fn closed(&self) -> u32 {
        4
    }

    /// Calls another service, with whatever came.
    #[rpc]
    #[public]
    async fn nested(&self) -> Result<Seen, kinoko::Error> {
        Ok(self.behind.seen().await?)
    }

    #[rpc]
    #[guard]
    async fn nested_as_caller(&self) -> Result<Seen, NestedError> {
        Ok(self.behind.guarded().await?)
    }

    #[rpc]
    #[public]
    async fn nested_checked(&self, #[inject] _who: Option<Identity>) -> Result<Seen, kinoko::Error> {
        Ok(self.behind.seen().await?)
    }
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum NestedError {
    #[error(transparent)]
    #[fault(forward)]
    Behind(#[from] CallError<std::convert::Infallible>),
}

/// What a service further on sees of the caller: user, token.
type Seen = (Option<String>, bool);

/// Looks at tokens for one method, and takes what comes for the other.
#[derive(Dependencies)]
struct Behind {
    jwt: Jwt,
}

#[service(name = "behind")]
impl Behind {
    #[rpc]
    #[public]
    fn seen(&self, #[inject] cx: WorkerContext) -> Seen {
        let raw = cx.header("nameko.user_id").and_then(|user| user.as_str()).map(str::to_owned);
        (raw, cx.get("auth_token").is_some())
    }

    #[rpc]
    #[guard(role = "keeper")]
    fn guarded(&self, #[inject] user: kinoko::UserId, #[inject] cx: WorkerContext) -> Seen {
        (Some(user.0), cx.get("auth_token").is_some())
    }
}

/// The settings that tests of tokens made elsewhere need too.
const SECRET: &str = "a secret of 32 bytes at the least";

async fn app() -> RunningTestApp {
    with("").await
}

/// With these settings of `jwt` beside the secret.
async fn with(settings: &str) -> RunningTestApp {
    test_app(settings).start().await.unwrap()
}

fn test_app(settings: &str) -> TestApp {
    TestApp::new().service::<Vault>().service::<Behind>().yaml(&format!("jwt: {{secret: {SECRET}, {settings}}}"))
}

fn token(app: &RunningTestApp, roles: &[&str], scope: &str) -> String {
    app.token(&json!({"sub": "ada", "roles": roles, "scope": scope})).unwrap()
}

//! Nameko's `auth_token`: Python brings it along, passes it on, and is refused without.

use kinoko::{
    Settings,
    auth::{Identity, Jwt, Key},
    prelude::*,
};
use kinoko_tests::{Python, amqp_uri, eventually, unique};
use serde_json::{Value, json};

use super::with_both_namekos;

with_both_namekos! {
    a_token_that_python_brings_or_passes_on_is_looked_at
}

#[derive(Dependencies)]
struct Guarded {
    #[allow(dead_code, reason = "the guards ask it")]
    jwt: Jwt,
    services: ServiceProxy,
    events: EventDispatcher,
}

#[service(name = "nameko_guarded")]
impl Guarded {
    #[rpc]
    #[guard(role = "clerk")]
    fn who(&self, #[inject] who: Identity) -> String {
        who.subject().to_owned()
    }

    /// Calls a Python service, which calls back.
    #[rpc]
    #[public]
    async fn around(&self, peer: String) -> kinoko::Result<Value> {
        let call = self.services.call(peer, "relay");
        Ok(call.arg("nameko_guarded").arg("who").arg(json!([])).await?)
    }

    #[rpc]
    #[public]
    async fn tell(&self) -> kinoko::Result<()> {
        self.events.dispatch_to("nameko_guarded", "told", &1).await?;
        Ok(())
    }

    #[event_handler("nameko_guarded", "told")]
    #[guard(role = "clerk")]
    fn on_told(&self) {}
}

const SECRET: &str = "a secret of thirty-two bytes or so";

async fn a_token_that_python_brings_or_passes_on_is_looked_at(python: Python) {
    let peer = unique("nameko_guarded_peer");
    let _peer = python.serve(&peer);
    let mut settings = Settings::default();
    settings.set("jwt.secret", SECRET);
    let app = App::new().settings(settings).broker(amqp_uri()).service::<Guarded>().start().await.unwrap();
    let jwt = Jwt::with_keys([Key::hs256(SECRET.as_bytes()).unwrap()]);
    let token = |role: &str| jwt.issue(&json!({"sub": "ada", "roles": [role]})).sign().unwrap();
    let calls = vec![
        json!({"service": "nameko_guarded", "method": "who", "args": []}),
        json!({"service": "nameko_guarded", "method": "around", "args": [peer]}),
    ];
    let ask =
        async |context: Value| python.calls_in_background(&["--context", &context.to_string()], calls.clone()).await;
    for answer in ask(json!({"auth_token": token("clerk"), "user_id": "root"})).await {
        assert_eq!(answer["result"], "ada", "{answer}");
    }
    for (context, refused) in [
        (json!({"auth_token": token("guest")}), "Forbidden"),
        (json!({"auth_token": "forged"}), "Unauthenticated"),
        (json!({"user_id": "root"}), "Unauthenticated"),
    ] {
        let answers = ask(context).await;
        assert_eq!(answers[0]["error"]["exc_type"], refused, "{answers:?}");
        assert!(answers[1]["error"]["text"].as_str().unwrap().contains(refused), "{answers:?}");
    }
    // Over the broker an event has it too, and one without is kept.
    let letters = app.dead_letters();
    let queue = "evt-nameko_guarded-told--nameko_guarded.on_told";
    letters.discard(queue, kinoko::dead_letter::Selection::matching(|_| true)).await.unwrap();
    let client = app.client::<GuardedClient>();
    client.tell().auth_token(&token("clerk")).await.unwrap();
    client.tell().await.unwrap();
    let kept = eventually(std::time::Duration::from_secs(20), "a dead letter", || async {
        Some(letters.list(queue, 10).await.unwrap()).filter(|letters| !letters.is_empty())
    });
    let codes: Vec<_> = kept.await.into_iter().map(|letter| letter.code.unwrap_or_default()).collect();
    assert_eq!(codes, ["UNAUTHENTICATED"]);
    letters.discard(queue, kinoko::dead_letter::Selection::matching(|_| true)).await.unwrap();
    app.stop().await.unwrap();
}

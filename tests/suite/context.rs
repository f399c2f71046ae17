//! The worker's context: call ids, context data, what passes on.

use kinoko::{
    AuthToken, Client, Language, UserId,
    prelude::*,
    protocol::{Name, Value},
    transport::{Queue, Topology, TransportOptions, connect},
};
use kinoko_tests::{Deliveries, unique};

#[derive(Dependencies)]
struct ContextInner;

#[service(name = "context_inner")]
impl ContextInner {
    #[rpc]
    fn seen(&self, #[inject] cx: WorkerContext) -> (Vec<String>, Option<String>, Option<String>) {
        let text = |key: &str| cx.get(key).and_then(|value| value.as_str()).map(str::to_owned);
        (cx.call_id_stack(), text("language"), text("tenant"))
    }

    #[rpc]
    fn token(&self, #[inject] token: Option<AuthToken>) -> Option<String> {
        token.map(|AuthToken(token)| token)
    }

    #[rpc]
    fn demands(&self, #[inject] Language(language): Language, #[inject] user: Option<UserId>) -> String {
        format!("{language} {}", user.map_or_else(|| "nobody".into(), |user| user.0))
    }
}

#[derive(Dependencies)]
struct ContextOuter {
    inner: ContextInnerClient,
}

#[service(name = "context_outer")]
impl ContextOuter {
    #[rpc]
    async fn relay(
        &self,
        #[inject] cx: WorkerContext,
    ) -> kinoko::Result<(String, Vec<String>, Option<String>, Option<String>)> {
        let (stack, language, tenant) = self.inner.seen().context("tenant", "overridden").await?;
        Ok((cx.call_id().to_owned(), stack, language, tenant))
    }

    #[rpc]
    async fn token(&self) -> kinoko::Result<Option<String>> {
        Ok(self.inner.token().await?)
    }

    #[rpc]
    async fn spawned(&self) -> kinoko::Result<Option<String>> {
        let inner = self.inner.clone();
        let (_, language, _) = kinoko::spawn(async move { inner.seen().await }).await??;
        Ok(language)
    }

    #[rpc]
    async fn spawned_without(&self) -> kinoko::Result<Option<String>> {
        let inner = self.inner.clone();
        let (_, language, _) = tokio::spawn(async move { inner.seen().await }).await??;
        Ok(language)
    }
}

#[tokio::test]
async fn context_and_call_id_stack_pass_along_nested_calls() {
    let app = App::new().service::<ContextInner>().service::<ContextOuter>().start().await.unwrap();
    let outer = app.client::<ContextOuterClient>();
    let (own, stack, language, tenant) =
        outer.relay().context("language", "fr").context("tenant", "acme").await.unwrap();
    assert_eq!(stack.len(), 3, "the caller outside, the outer worker, the inner one: {stack:?}");
    assert!(stack[0].starts_with("standalone_rpc_client."), "{stack:?}");
    assert_eq!(stack[1], own);
    assert!(own.starts_with("context_outer.relay."), "{own}");
    assert!(stack[2].starts_with("context_inner.seen."), "{stack:?}");
    assert_eq!(language.as_deref(), Some("fr"));
    assert_eq!(tenant.as_deref(), Some("overridden"), "what a call sets goes over what passes on");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_spawned_task_keeps_the_context_when_it_is_spawned_by_us() {
    let app = App::new().service::<ContextInner>().service::<ContextOuter>().start().await.unwrap();
    let outer = app.client::<ContextOuterClient>();
    assert_eq!(outer.spawned().context("language", "de").await.unwrap().as_deref(), Some("de"));
    assert_eq!(outer.spawned_without().context("language", "de").await.unwrap(), None);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn context_values_are_injected_by_type() {
    let app = App::new().service::<ContextInner>().start().await.unwrap();
    let inner = app.client::<ContextInnerClient>();
    assert_eq!(inner.demands().context("language", "it").await.unwrap(), "it nobody");
    assert_eq!(inner.demands().context("language", "it").context("user_id", 7).await.unwrap(), "it 7");
    let error = inner.demands().await.unwrap_err();
    assert_eq!(error.to_string(), "BadRequest: the call's context has no usable `language`");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_token_of_any_length_passes_along_nested_calls() {
    let app = App::new().service::<ContextInner>().service::<ContextOuter>().start().await.unwrap();
    let outer = app.client::<ContextOuterClient>();
    assert_eq!(outer.token().await.unwrap(), None);
    assert_eq!(outer.token().auth_token("").await.unwrap().as_deref(), Some(""));
    for bytes in [1, 255, 256, 2000] {
        let token = "t".repeat(bytes);
        assert_eq!(outer.token().auth_token(&token).await.unwrap(), Some(token), "{bytes}");
    }
    app.stop().await.unwrap();
}

/// A header table costs a tenth of a call.
#[tokio::test]
async fn a_token_that_fits_a_property_needs_no_header_on_the_short_path() {
    let broker = format!("memory://{}", unique("tokens"));
    let transport = connect(&broker, TransportOptions::default()).await.unwrap();
    let queue = Name::from("kinoko.rpc-context_inner");
    let topology = Topology { queues: vec![Queue::durable(queue.clone())], ..Topology::default() };
    transport.declare(topology).await.unwrap();
    let (sink, requests) = Deliveries::new();
    let consumer = transport.consume(queue, 10, sink).await.unwrap();
    let client = Client::connect(&broker).await.unwrap();
    let inner = client.service::<ContextInnerClient>();
    let seen = async |token: &str| {
        let _call = inner.token().auth_token(token).send().await.unwrap();
        let request = requests.next().await;
        let properties = request.message().properties.clone();
        assert!(!format!("{:?}", request.message()).contains(token), "no log may have it");
        request.ack();
        let header = properties.headers.get("nameko.auth_token").and_then(Value::as_str).map(str::to_owned);
        (properties.cluster_id.map(|token| token.to_string()), header)
    };
    assert_eq!(seen(&"t".repeat(255)).await, (Some("t".repeat(255)), None));
    assert_eq!(seen(&"t".repeat(256)).await, (None, Some("t".repeat(256))));
    consumer.cancel().await;
    client.close().await;
    transport.close().await;
}

//! Injected parameters: built per call from the service's own fields.

use kinoko::{Fault, ServiceError as _, prelude::*};

#[derive(Clone)]
struct Ids;

impl Dependency for Ids {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self)
    }
}

/// The caller, as the service's own dependency knows it.
struct Caller(String);

#[derive(Debug, thiserror::Error, ServiceError)]
enum Refusal {
    #[error("who are you?")]
    #[fault(http = 401)]
    Anonymous,
}

impl<S: Has<Ids> + Sync> FromWorker<S> for Caller {
    async fn from_worker(service: &S, cx: &WorkerContext) -> Result<Self, Fault> {
        let Ids = service.get();
        let id = cx.get("user_id").and_then(|id| id.as_str()).ok_or(Refusal::Anonymous)?;
        Ok(Self(id.to_owned()))
    }
}

#[derive(Dependencies)]
struct Inject {
    #[allow(dead_code)]
    ids: Ids,
}

#[service(name = "inject")]
impl Inject {
    #[rpc]
    fn between(&self, a: u32, #[inject] caller: Caller, b: u32, #[inject] cx: WorkerContext) -> String {
        format!("{} {} {}", caller.0, a + b, cx.entrypoint())
    }
}

#[tokio::test]
async fn injected_parameters_stand_anywhere_and_callers_never_see_them() {
    let app = App::new().service::<Inject>().start().await.unwrap();
    let client = app.client::<InjectClient>();
    assert_eq!(client.between(1, 2).context("user_id", "ada").await.unwrap(), "ada 3 between");
    let by_position = app.proxy().call("inject", "between").arg(3).arg(4).context("user_id", "bob").await.unwrap();
    assert_eq!(by_position, "bob 7 between");
    app.stop().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_injected_is_the_answer() {
    let app = App::new().service::<Inject>().start().await.unwrap();
    match app.client::<InjectClient>().between(1, 2).await {
        Err(kinoko::CallError::Remote(fault)) => {
            assert_eq!(fault.code, Refusal::Anonymous.to_fault().code);
            assert_eq!(fault.http, Some(401));
        }
        other => panic!("{other:?}"),
    }
    app.stop().await.unwrap();
}

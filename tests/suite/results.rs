//! What methods may return.

use kinoko::{CallError, prelude::*};

#[derive(Debug, thiserror::Error, ServiceError)]
enum Refused {
    #[error("too small: {0}")]
    TooSmall(u32),
}

type Fallible<T> = Result<T, Refused>;

#[derive(Dependencies)]
struct Results;

#[service(name = "results")]
impl Results {
    #[rpc]
    async fn plain(&self) -> u32 {
        1
    }

    #[rpc]
    fn unit(&self) {}

    #[rpc]
    fn result(&self, n: u32) -> Result<u32, Refused> {
        if n < 10 { Err(Refused::TooSmall(n)) } else { Ok(n) }
    }

    #[rpc]
    async fn alias(&self, n: u32) -> Fallible<u32> {
        self.result(n)
    }

    #[rpc]
    fn internal(&self, text: &str) -> kinoko::Result<u32> {
        Ok(text.parse::<u32>()?)
    }

    #[rpc]
    fn option(&self, some: bool) -> Option<u32> {
        some.then_some(4)
    }

    #[rpc]
    fn nested(&self, inner: bool) -> Result<Option<u32>, Refused> {
        Ok(inner.then_some(5))
    }

    #[rpc]
    fn unserialisable(&self) -> std::collections::HashMap<Vec<u8>, u8> {
        [(vec![1], 1)].into()
    }

    #[rpc]
    fn panics(&self) -> u32 {
        panic!("a bug")
    }
}

#[tokio::test]
async fn values_results_and_aliases_come_back_as_their_types() {
    let app = App::new().service::<Results>().start().await.unwrap();
    let client = app.client::<ResultsClient>();
    assert_eq!(client.plain().await.unwrap(), 1);
    client.unit().await.unwrap();
    assert_eq!(client.result(10).await.unwrap(), 10);
    assert_eq!(client.alias(11).await.unwrap(), 11);
    assert!(matches!(client.result(1).await, Err(CallError::Service(Refused::TooSmall(1)))));
    assert!(matches!(client.alias(2).await, Err(CallError::Service(Refused::TooSmall(2)))));
    assert_eq!(client.internal("7").await.unwrap(), 7);
    assert_eq!(client.option(true).await.unwrap(), Some(4));
    assert_eq!(client.option(false).await.unwrap(), None);
    assert_eq!(client.nested(true).await.unwrap(), Some(5));
    assert_eq!(client.nested(false).await.unwrap(), None);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn internal_errors_and_panics_are_faults_and_the_service_goes_on() {
    let app = App::new().service::<Results>().start().await.unwrap();
    let client = app.client::<ResultsClient>();
    match client.internal("many").await {
        Err(CallError::Remote(fault)) => assert_eq!(fault.value, "invalid digit found in string"),
        other => panic!("{other:?}"),
    }
    for _ in 0..300 {
        // More than there are slots: none may leak.
        match client.panics().await {
            Err(CallError::Remote(fault)) => assert_eq!(fault.to_string(), "Panic: a bug"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(client.plain().await.unwrap(), 1);
    assert_eq!(app.running_workers(), 0);
    app.stop().await.unwrap();
}

#[tokio::test]
async fn a_result_that_has_no_form_in_the_codec_is_namekos_error() {
    let app = App::new().service::<Results>().start().await.unwrap();
    let call = app.proxy().call("results", "unserialisable");
    match call.await {
        Err(CallError::Remote(fault)) => assert_eq!(fault.exc_path, "nameko.exceptions.UnserializableValueError"),
        other => panic!("{other:?}"),
    }
    app.stop().await.unwrap();
}

//! What goes around the calls of a client: the options of its field.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use kinoko::{CallError, grpc::GrpcClient, prelude::*, testing::TestApp};
use kinoko_tests::protos::stock::{Item, Level, Stock};

use super::{StockError, item};

/// How often it was asked.
#[derive(Clone, Default)]
struct Asked(Arc<AtomicUsize>);

impl Dependency for Asked {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self::default())
    }
}

/// Fails the first time, and whenever it is asked for a spoon.
#[derive(Dependencies)]
struct Shaky {
    asked: Asked,
}

#[service(name = "grpc_shaky")]
impl Shaky {
    #[grpc(Stock::check)]
    fn check(&self, request: Item) -> Result<Level, StockError> {
        let asked = self.asked.0.fetch_add(1, SeqCst);
        match &*request.sku {
            "SPOON" => Err(StockError::Unknown { sku: request.sku }),
            "ALWAYS" => Err(StockError::Broken),
            _ if asked == 0 => Err(StockError::Broken),
            _ => Ok(Level { sku: request.sku, left: 1 }),
        }
    }
}

#[derive(Dependencies)]
struct Patient {
    #[dependency(retry = 3, breaker(min_calls = 6, failure_rate = 0.5))]
    stock: GrpcClient<Stock>,
}

#[service(name = "grpc_patient")]
impl Patient {
    #[rpc]
    async fn left(&self, sku: String) -> Result<u32, PatientError> {
        Ok(self.stock.check(item(&sku)).errors::<StockError>().await?.left)
    }
}

#[derive(Debug, thiserror::Error, ServiceError)]
enum PatientError {
    #[error(transparent)]
    #[fault(forward)]
    Stock(#[from] CallError<StockError>),
}

#[tokio::test(start_paused = true)]
async fn what_may_be_repeated_is_repeated_and_a_no_is_not() {
    let asked = Asked::default();
    let app = TestApp::new().service::<Shaky>().service::<Patient>().replace(asked.clone()).start().await.unwrap();
    let patient = app.client::<PatientClient>();
    assert_eq!(patient.left("TEAPOT".into()).await.unwrap(), 1);
    assert_eq!(asked.0.load(SeqCst), 2, "and once more");
    let error = patient.left("SPOON".into()).await.unwrap_err();
    assert!(matches!(error, CallError::Service(PatientError::Stock(CallError::Service(StockError::Unknown { .. })))));
    assert_eq!(asked.0.load(SeqCst), 3, "a no is an answer");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_circuit_opens_and_nobody_is_asked_any_more() {
    let asked = Asked::default();
    let app = TestApp::new().service::<Shaky>().service::<Patient>().replace(asked.clone()).start().await.unwrap();
    let patient = app.client::<PatientClient>();
    for _ in 0..10 {
        patient.left("ALWAYS".into()).await.unwrap_err();
    }
    let before = asked.0.load(SeqCst);
    assert!(before < 30, "{before}");
    let error = patient.left("TEAPOT".into()).await.unwrap_err().to_string();
    assert!(error.contains("kinoko.tests.v1.Stock"), "{error}");
    assert_eq!(asked.0.load(SeqCst), before);
    app.stop().await.unwrap();
}

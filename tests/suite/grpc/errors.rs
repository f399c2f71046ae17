//! Errors: the variant comes back, and what is internal stays inside.

use kinoko::{CallError, prelude::*};
use kinoko_tests::protos::stock::{Item, Level, Stock};

use super::{StockError, item, warehouse};

#[tokio::test(start_paused = true)]
async fn a_typed_error_comes_back_as_the_variant_that_it_was() {
    let (app, _, stock) = warehouse().await;
    let error = stock.check(item("SPOON")).errors::<StockError>().await.unwrap_err();
    let CallError::Service(error) = error else { panic!("{error:?}") };
    assert_eq!(error, StockError::Unknown { sku: "SPOON".into() });
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_knows_nothing_of_the_type_gets_code_fields_and_status() {
    let (app, _, stock) = warehouse().await;
    let CallError::Remote(fault) = stock.check(item("SPOON")).await.unwrap_err() else { panic!("not remote") };
    assert_eq!((fault.code.as_deref(), fault.grpc.as_deref()), (Some("UNKNOWN_SKU"), Some("NOT_FOUND")));
    assert_eq!(fault.data.unwrap()["sku"], "SPOON");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn of_what_nobody_foresaw_the_caller_hears_where_to_look_and_nothing_else() {
    let (app, _, stock) = warehouse().await;
    let CallError::Remote(fault) = stock.check(item("PANIC")).await.unwrap_err() else { panic!("not remote") };
    assert_eq!(fault.grpc.as_deref(), Some("INTERNAL"));
    assert!(!format!("{fault:?}").contains("cracked"), "{fault:?}");
    app.stop().await.unwrap();
}

/// Its errors say nothing of gRPC.
#[derive(Dependencies)]
struct Plain;

#[service(name = "grpc_plain")]
impl Plain {
    #[grpc(Stock::check)]
    fn check(&self, request: Item) -> kinoko::Result<Level> {
        Err(kinoko::Error::msg(format!("the key of {} is k3y", request.sku)))
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_by_a_question_mark_is_internal() {
    let app = kinoko::testing::TestApp::new().service::<Plain>().start().await.unwrap();
    let stock = app.grpc::<Stock>().unwrap();
    let error = stock.check(item("SPOON")).await.unwrap_err();
    assert!(!format!("{error:?}").contains("k3y"), "{error:?}");
    let CallError::Remote(fault) = error else { panic!("{error:?}") };
    assert_eq!(fault.grpc.as_deref(), Some("INTERNAL"));
    app.stop().await.unwrap();
}

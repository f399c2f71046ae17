//! Streams, either way and both ways at once.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use kinoko::CallError;
use kinoko_tests::protos::stock::{Delivery, Level};
use tokio::time::{Instant, timeout};

use super::{SOON, item, level, warehouse};

fn delivery(sku: &str, amount: u32) -> Delivery {
    Delivery { sku: sku.to_owned(), amount }
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_requests_is_answered_at_its_end() {
    let (app, shelf, stock) = warehouse().await;
    let deliveries = stream::iter([delivery("TEAPOT", 2), delivery("CUP", 1), delivery("CUP", 5)]);
    assert_eq!(stock.deliver(deliveries).await.unwrap(), level("CUP", 18));
    assert_eq!(shelf.level("TEAPOT").unwrap().left, 5);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_responses_comes_as_it_goes() {
    let (app, shelf, stock) = warehouse().await;
    let mut levels = stock.watch(item("TEAPOT")).await.unwrap();
    assert_eq!(levels.next().await.unwrap().unwrap(), level("TEAPOT", 3));
    for left in [2, 1] {
        shelf.set("TEAPOT", left);
        assert_eq!(levels.next().await.unwrap().unwrap(), level("TEAPOT", left));
    }
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn both_sides_stream_at_once() {
    let (app, _, stock) = warehouse().await;
    let (send, mut sent) = tokio::sync::mpsc::unbounded_channel();
    let asked = stream::poll_fn(move |cx| sent.poll_recv(cx));
    let mut levels = stock.ask(asked).await.unwrap();
    for (sku, left) in [("CUP", 12), ("TEAPOT", 3)] {
        send.send(item(sku)).unwrap();
        assert_eq!(levels.next().await.unwrap().unwrap(), level(sku, left));
    }
    drop(send);
    assert!(levels.next().await.is_none());
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_error_is_the_last_of_a_stream() {
    let (app, shelf, stock) = warehouse().await;
    let mut levels = stock.watch(item("CUP")).await.unwrap();
    levels.next().await.unwrap().unwrap();
    shelf.0.send_modify(std::collections::HashMap::clear);
    let error = levels.next().await.unwrap().unwrap_err();
    assert!(matches!(&error, CallError::Remote(fault) if fault.code.as_deref() == Some("UNKNOWN_SKU")), "{error:?}");
    assert!(levels.next().await.is_none());
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_waits_keeps_nobody_from_working() {
    let (app, _, stock) = warehouse().await;
    let mut watching = Vec::new();
    // As many as there are workers, and as many again.
    for _ in 0..8 {
        let mut levels = stock.watch(item("CUP")).await.unwrap();
        levels.next().await.unwrap().unwrap();
        watching.push(levels);
    }
    assert_eq!(stock.check(item("CUP")).timeout(SOON).await.unwrap(), level("CUP", 12));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_reads_any_more_is_dropped() {
    let (app, shelf, stock) = warehouse().await;
    let mut levels = stock.watch(item("CUP")).await.unwrap();
    levels.next().await.unwrap().unwrap();
    assert_eq!(shelf.0.receiver_count(), 1);
    drop(levels);
    timeout(SOON, shelf.0.closed()).await.unwrap();
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_at_its_callers_deadline() {
    let (app, shelf, stock) = warehouse().await;
    let began = Instant::now();
    let mut levels = stock.watch(item("CUP")).timeout(SOON).await.unwrap();
    levels.next().await.unwrap().unwrap();
    let error = levels.next().await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::Timeout(_)), "{error:?}");
    assert!(began.elapsed() < SOON * 2);
    timeout(SOON, shelf.0.closed()).await.expect("the service's own stream is dropped, too");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn when_the_service_stops_a_stream_that_waits_ends_and_says_so() {
    let (app, _, stock) = warehouse().await;
    let mut levels = stock.watch(item("CUP")).await.unwrap();
    levels.next().await.unwrap().unwrap();
    let began = Instant::now();
    let stopping = tokio::spawn(app.stop());
    let error = levels.next().await.unwrap().unwrap_err();
    assert!(matches!(&error, CallError::Remote(fault) if fault.code.as_deref() == Some("STOPPING")), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    stopping.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_sends_goes_on_while_the_service_stops() {
    let (app, shelf, stock) = warehouse().await;
    let mut levels = stock.watch(item("CUP")).await.unwrap();
    levels.next().await.unwrap().unwrap();
    let stopping = tokio::spawn(app.stop());
    for left in 0..10 {
        tokio::time::sleep(SOON).await;
        shelf.set("CUP", left);
        assert_eq!(levels.next().await.unwrap().unwrap(), Level { sku: "CUP".into(), left });
    }
    drop(levels);
    stopping.await.unwrap().unwrap();
}

use std::time::Duration;

use kinoko::{
    CallError, Client,
    protocol::Value,
    testing::{RunningTestApp, TestApp},
};
use serde_json::json;

use super::{Kitchen, KitchenClient, KitchenError, Oven, Waiters, WaitersClient, shared_broker};

async fn kitchen() -> RunningTestApp {
    TestApp::new().service::<Kitchen>().start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_hook_is_the_caller_that_the_test_describes() {
    let app = kitchen().await;
    let hook = app.hook().language("de").called_by(["web.buy.1", "shop.place.2"]);
    let (language, parents) = hook.client::<KitchenClient>().greet().await.unwrap();
    assert_eq!((&*language, &*parents), ("de", &["web.buy.1".to_owned(), "shop.place.2".to_owned()][..]));

    // A call's own context comes first, and another hook is another caller.
    let (language, _) = hook.client::<KitchenClient>().greet().context("language", "fr").await.unwrap();
    assert_eq!(language, "fr");
    let (language, parents) = app.hook().client::<KitchenClient>().greet().await.unwrap();
    assert_eq!((&*language, parents.len()), ("en", 1));

    let by_name = hook.call("kitchen", "greet").await.unwrap();
    assert_eq!(by_name, json!(["de", ["web.buy.1", "shop.place.2"]]));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hook_takes_the_whole_path_but_the_broker() {
    let oven = Oven::fake();
    let app = TestApp::new().service::<Kitchen>().replace(oven.clone()).start().await.unwrap();
    let kitchen = app.hook().client::<KitchenClient>();

    assert_eq!(kitchen.cook("soup".into(), 3).await.unwrap(), "soup for table 3");
    let error = kitchen.cook("stew".into(), 3).await.unwrap_err();
    assert!(matches!(error, CallError::Service(KitchenError::OffTheMenu { dish }) if dish == "stew"));
    let error = kitchen.cook("fire".into(), 3).await.unwrap_err();
    assert!(error.to_string().contains("the kitchen burns"), "{error}");
    let error = app.hook().call("kitchen", "cook").kwarg("dish", 7).await.unwrap_err();
    assert!(matches!(error, CallError::BadRequest(_)), "{error:?}");
    let error = app.hook().call("kitchen", "bake").await.unwrap_err();
    assert!(matches!(error, CallError::MethodNotFound { .. }), "{error:?}");
    let error = app.hook().call("kitchn", "cook").await.unwrap_err();
    assert_eq!(error.to_string(), "no service `kitchn`: did you mean `kitchen`?");
    let error = app.hook().context("oven", "broken").call("kitchen", "cook").arg("soup").await.unwrap_err();
    assert!(error.to_string().contains("the oven is broken"), "{error}");

    // Hooks ran for each that decoded, for both fields.
    assert_eq!(oven.notes(), ["teardown of cook"; 8]);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hook_has_a_deadline_and_meets_the_limits() {
    let app = kitchen().await;
    let kitchen = app.hook().timeout(Duration::from_secs(3)).client::<KitchenClient>();
    let began = tokio::time::Instant::now();
    let dropped = app.waiter("kitchen", "simmer");
    let (first, second) = tokio::join!(kitchen.simmer(), kitchen.simmer());
    for error in [first.unwrap_err(), second.unwrap_err()] {
        assert_eq!(error.to_string(), "`kitchen.simmer` did not answer within 3s");
    }
    assert_eq!(began.elapsed().as_secs(), 3);
    // Of the two only one had the method's one slot.
    dropped.await.unwrap();
    let none = app.waiter("kitchen", "simmer").within(Duration::from_secs(1)).await.unwrap_err();
    assert!(none.to_string().contains("not once"), "{none}");
    assert_eq!(app.running_workers(), 0);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hook_reaches_this_instance_and_no_other() {
    let broker = shared_broker();
    let real = TestApp::new().service::<Kitchen>().broker(broker.clone()).start().await.unwrap();
    let fake = TestApp::new().service::<Kitchen>().broker(broker.clone()).replace(Oven::fake()).start().await.unwrap();
    for (app, name) in [(&real, "real"), (&fake, "fake")] {
        for _ in 0..4 {
            assert_eq!(app.hook().client::<KitchenClient>().ovens().await.unwrap(), [name; 3]);
        }
    }
    // By the broker both take turns.
    let client = Client::connect(&broker).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let ovens: Value = client.proxy().call("kitchen", "ovens").await.unwrap();
        seen.push(ovens[0].as_str().unwrap().to_owned());
    }
    assert!(seen.contains(&"real".to_owned()) && seen.contains(&"fake".to_owned()), "{seen:?}");
    client.close().await;
    real.stop().await.unwrap();
    fake.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_hooked_worker_calls_gets_its_context() {
    let app = TestApp::new().service::<Kitchen>().service::<Waiters>().start().await.unwrap();
    let cooked = app.waiter("kitchen", "cook");
    let waiters = app.hook().user_id("ada").called_by(["web.buy.1"]).client::<WaitersClient>();
    waiters.order("soup".into()).await.unwrap();
    let cooked = cooked.await.unwrap();
    assert_eq!(cooked.context().get("user_id").unwrap(), "ada");
    let stack = cooked.context().parent_call_ids();
    assert_eq!((stack.len(), &*stack[0]), (2, "web.buy.1"));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_hook_of_services_that_stop_is_answered() {
    let app = TestApp::new().service::<Kitchen>().yaml("grace_period: 1s").start().await.unwrap();
    let kitchen = app.hook().client::<KitchenClient>();
    let fired = app.waiter("kitchen", "simmer");
    let running = kitchen.simmer().send().await.unwrap();
    kitchen.ovens().await.unwrap();
    app.stop().await.unwrap_err();
    let dropped = fired.await.unwrap();
    assert_eq!(dropped.cancelled(), Some(kinoko::Cancelled::Stopping));
    for error in [running.await.unwrap_err().to_string(), kitchen.ovens().await.unwrap_err().to_string()] {
        assert!(error.contains("the service stops"), "{error}");
    }
}

use std::time::Duration;

use kinoko::{
    Cancelled, ErrorKind,
    testing::{RunningTestApp, TestApp},
};

use super::{Kitchen, KitchenClient, KitchenError, Oven, Waiters, WaitersClient};

async fn restaurant() -> RunningTestApp {
    TestApp::new().service::<Kitchen>().service::<Waiters>().start().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_waiter_tells_what_fired_and_how_it_ended() {
    let app = restaurant().await;
    let cooked = app.waiter("kitchen", "cook");
    // Nobody waits for the cook but the waiter.
    app.client::<WaitersClient>().shout("soup".into()).context("language", "de").await.unwrap();
    let cooked = cooked.await.unwrap();
    assert_eq!((cooked.service(), cooked.entrypoint()), ("kitchen", "cook"));
    assert!(cooked.context().call_id().starts_with("kitchen.cook."));
    assert_eq!(cooked.context().get("language").unwrap(), "de");
    assert_eq!(cooked.argument("dish").unwrap(), "soup");
    assert_eq!(cooked.argument("table").unwrap(), 8);
    assert!(cooked.is_ok() && cooked.fault().is_none() && cooked.cancelled().is_none());
    assert_eq!(cooked.returned::<String>().unwrap(), "soup for table 8");
    let error = cooked.returned::<u32>().unwrap_err().to_string();
    assert!(error.starts_with("kitchen.cook returned, but no such value: "), "{error}");
    assert!(!format!("{cooked:?}").contains("soup"));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn arguments_by_place_have_their_names() {
    let app = restaurant().await;
    let cooked = app.waiter("kitchen", "cook");
    app.proxy().call("kitchen", "cook").arg("soup").await.unwrap();
    let cooked = cooked.await.unwrap();
    assert_eq!(serde_json::to_string(&cooked.arguments()).unwrap(), r#"{"dish":"soup"}"#);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiter_sees_errors_panics_and_refusals() {
    let app = restaurant().await;
    let kitchen = app.client::<KitchenClient>();
    let cooked = app.waiter("kitchen", "cook").times(4);
    kitchen.cook("stew".into(), 1).await.unwrap_err();
    kitchen.cook("fire".into(), 1).await.unwrap_err();
    app.proxy().call("kitchen", "cook").await.unwrap_err();
    kitchen.cook("soup".into(), 1).context("oven", "broken").await.unwrap_err();
    let cooked = cooked.await.unwrap();
    let texts: Vec<_> = cooked.iter().map(ToString::to_string).collect();
    assert_eq!(cooked[0].error::<KitchenError>(), Some(KitchenError::OffTheMenu { dish: "stew".into() }));
    assert_eq!(texts[0], "kitchen.cook failed: OffTheMenu: no stew today");
    assert!(texts[1].contains("the kitchen burns"), "{texts:?}");
    assert_eq!(cooked[1].error::<KitchenError>(), None);
    assert_eq!(cooked[2].fault().unwrap().exc_type, "IncorrectSignature");
    assert!(texts[3].contains("the oven is broken"), "the outcome is what teardown left: {texts:?}");
    assert!(cooked[3].returned::<String>().unwrap_err().to_string().contains("the oven is broken"));
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiter_sees_a_worker_that_was_dropped() {
    let app = restaurant().await;
    let simmered = app.waiter("kitchen", "simmer").within(Duration::MAX);
    app.client::<KitchenClient>().simmer().timeout(Duration::from_secs(60)).await.unwrap_err();
    let simmered = simmered.await.unwrap();
    assert_eq!(simmered.cancelled(), Some(Cancelled::DeadlinePassed));
    assert_eq!(simmered.to_string(), "kitchen.simmer was dropped: the deadline passed");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_worker_is_over_when_the_waiter_is() {
    let oven = Oven::fake();
    let app = TestApp::new().service::<Kitchen>().replace(oven.clone()).start().await.unwrap();
    let cooked = app.waiter("kitchen", "cook");
    let _reply = app.client::<KitchenClient>().cook("soup".into(), 1).send().await.unwrap();
    cooked.await.unwrap();
    assert_eq!(oven.notes(), ["teardown of cook"; 2]);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiter_chooses() {
    let app = restaurant().await;
    let kitchen = app.client::<KitchenClient>();
    let failed = app.waiter("kitchen", "cook").when(|fired| !fired.is_ok());
    let soups = app.waiter("kitchen", "cook").when(|fired| fired.argument("dish").unwrap() == "soup").times(2);
    for (dish, table) in [("soup", 1), ("stew", 2), ("soup", 3)] {
        kitchen.cook(dish.into(), table).await.ok();
    }
    assert_eq!(failed.await.unwrap().argument("table").unwrap(), 2);
    let soups = soups.await.unwrap();
    assert_eq!([&soups[0], &soups[1]].map(|fired| fired.argument("table").unwrap()), [1, 3]);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_waiter_in_vain_says_what_fired_instead() {
    let app = restaurant().await;
    let began = tokio::time::Instant::now();
    let error = app.waiter("kitchen", "cook").await.unwrap_err();
    assert_eq!(error.to_string(), "`kitchen.cook` fired not once within 5s; nothing else fired meanwhile");
    assert_eq!(began.elapsed().as_secs(), 5);

    let in_vain = app.waiter("kitchen", "cook").when(|fired| fired.argument("dish").unwrap() == "cake").times(3);
    let kitchen = app.client::<KitchenClient>();
    kitchen.cook("stew".into(), 1).await.unwrap_err();
    kitchen.ovens().await.unwrap();
    kitchen.cook("cake".into(), 1).await.unwrap_err();
    assert_eq!(
        in_vain.await.unwrap_err().to_string(),
        "`kitchen.cook` fired 1 times instead of 3 with what `when` accepts within 5s; \
         meanwhile: `kitchen.cook failed: OffTheMenu: no stew today`, `kitchen.ovens returned`"
    );

    let waiter = app.waiter("kitchen", "cook");
    app.stop().await.unwrap();
    let error = waiter.await.unwrap_err().to_string();
    assert!(error.contains("until the services ended"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_waiter_for_what_is_not_there_says_so_at_once() {
    let app = TestApp::new().service::<Kitchen>().only_entrypoints("kitchen", ["ovens"]).start().await.unwrap();
    for (service, entrypoint, text) in [
        ("kitchen", "oven", "service `kitchen` has no entrypoint `oven` (it has ovens): did you mean `ovens`?"),
        ("kitchen", "cook", "service `kitchen` has no entrypoint `cook` (it has ovens)"),
        ("kitchn", "cook", "this test runs no service `kitchn` (it has kitchen): did you mean `kitchen`?"),
    ] {
        let error = app.waiter(service, entrypoint).await.unwrap_err();
        assert_eq!((error.kind(), &*error.to_string()), (ErrorKind::Usage, text));
    }
    app.stop().await.unwrap();
}

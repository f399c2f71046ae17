use kinoko::{
    CallError, ErrorKind,
    prelude::*,
    testing::{RunningTestApp, TestApp},
};

use super::{Kitchen, KitchenClient, Oven, Recipes, Waiters, WaitersClient};

async fn refused(app: TestApp) -> String {
    let error = app.start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Usage);
    error.to_string()
}

async fn ovens(app: &RunningTestApp) -> Vec<String> {
    app.client::<KitchenClient>().ovens().await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_field_and_every_provider_gets_the_replacement() {
    let fake = Oven::fake();
    let app = TestApp::new().service::<Kitchen>().replace(fake.clone()).start().await.unwrap();
    assert_eq!(ovens(&app).await, ["fake"; 3]);
    app.stop().await.unwrap();
    // Both fields run the hook; nothing was started or stopped.
    assert_eq!(fake.notes(), ["teardown of ovens"; 2]);
}

#[tokio::test(start_paused = true)]
async fn without_a_replacement_the_real_one_lives() {
    let app = TestApp::new().service::<Kitchen>().start().await.unwrap();
    assert_eq!(ovens(&app).await, ["real"; 3]);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_later_replacement_takes_the_place_of_an_earlier_one() {
    let app = TestApp::new().service::<Kitchen>().replace(Oven { name: "first", ..Oven::fake() });
    let app = app.replace(Oven::fake()).start().await.unwrap();
    assert_eq!(ovens(&app).await, ["fake"; 3]);
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn one_service_can_have_a_replacement_of_its_own() {
    #[derive(Dependencies)]
    struct Bakery {
        oven: Oven,
    }

    #[service(name = "bakery")]
    impl Bakery {
        #[rpc]
        fn oven(&self) -> String {
            self.oven.name.to_owned()
        }
    }

    let app = TestApp::new().service::<Kitchen>().service::<Bakery>();
    let app = app.replace(Oven::fake()).replace_in("bakery", Oven { name: "stone", ..Oven::fake() });
    let app = app.start().await.unwrap();
    assert_eq!(ovens(&app).await, ["fake"; 3]);
    assert_eq!(app.client::<BakeryClient>().oven().await.unwrap(), "stone");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_is_replaced_by_one_of_a_fake() {
    let fake = Kitchen { oven: Oven::fake(), second: Oven::fake(), recipes: Recipes(Oven::fake()) };
    let app = TestApp::new().service::<Waiters>().replace(KitchenClient::from_service(fake));
    let app = app.start().await.unwrap();
    let served = app.client::<WaitersClient>().order("soup".into()).await.unwrap();
    assert_eq!(served, "soup for table 7");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_replaces_nothing_is_refused_by_name() {
    let text = refused(TestApp::new().service::<Waiters>().replace(Oven::fake())).await;
    assert!(text.starts_with("the replacement of `suite::testing::Oven` replaces nothing: no service"), "{text}");
    assert!(text.ends_with("(they have `suite::testing::KitchenClient`)"), "{text}");

    let app = TestApp::new().service::<Waiters>().service::<Kitchen>();
    let text = refused(app.replace_in("waiters", Oven::fake())).await;
    assert!(text.contains("`waiters` has no field of that type"), "{text}");

    let text = refused(TestApp::new().service::<Kitchen>().replace_in("kitchn", Oven::fake())).await;
    assert_eq!(text, "this test runs no service `kitchn` (it has kitchen): did you mean `kitchen`?");
}

#[tokio::test(start_paused = true)]
async fn only_some_entrypoints_are_left() {
    let app = TestApp::new().service::<Kitchen>().only_entrypoints("kitchen", ["ovens"]).start().await.unwrap();
    let kitchen = app.client::<KitchenClient>();
    assert_eq!(ovens(&app).await, ["real"; 3]);
    let gone = kitchen.cook("soup".into(), 1).await.unwrap_err();
    assert!(matches!(gone, CallError::MethodNotFound { .. }), "{gone:?}");
    let gone = app.hook().client::<KitchenClient>().cook("soup".into(), 1).await.unwrap_err();
    assert!(matches!(gone, CallError::MethodNotFound { .. }), "{gone:?}");
    app.stop().await.unwrap();

    let app = TestApp::new().service::<Kitchen>().only_entrypoints("kitchen", []).start().await.unwrap();
    let gone = app.proxy().call("kitchen", "ovens").await.unwrap_err();
    assert!(matches!(gone, CallError::UnknownService { .. }), "{gone:?}");
    app.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn entrypoints_and_services_that_are_not_there_are_refused() {
    let text = refused(TestApp::new().service::<Kitchen>().only_entrypoints("kitchen", ["coook"])).await;
    assert_eq!(
        text,
        "service `kitchen` has no entrypoint `coook` (it has ovens, cook, greet, simmer): did you mean `cook`?"
    );
    let text = refused(TestApp::new().service::<Kitchen>().only_entrypoints("barn", [])).await;
    assert_eq!(text, "this test runs no service `barn` (it has kitchen)");
}

#[tokio::test(start_paused = true)]
async fn settings_are_the_tests_and_the_broker_is_in_memory_whatever_they_say() {
    #[derive(Dependencies)]
    struct Limits {
        #[dependency(key = "limits.most", default = 1)]
        most: Config<u32>,
    }

    #[service(name = "limits")]
    impl Limits {
        #[rpc]
        fn most(&self) -> u32 {
            *self.most
        }
    }

    let app = TestApp::new().service::<Limits>().yaml("amqp_uri: amqp://nowhere.invalid\nlimits: {most: 3}");
    let app = app.start().await.unwrap();
    assert_eq!(app.client::<LimitsClient>().most().await.unwrap(), 3);
    app.stop().await.unwrap();

    let error = TestApp::new().service::<Limits>().yaml("limits: [").start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);

    // What `main` runs is tested as it is.
    let built = App::new().service::<Limits>().broker("amqp://nowhere.invalid");
    let app = TestApp::of(built).start().await.unwrap();
    assert_eq!(app.client::<LimitsClient>().most().await.unwrap(), 1);
    app.stop().await.unwrap();
}

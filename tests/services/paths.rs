//! The two ways to a service: the short path between kinoko peers, and Nameko's.

use std::time::{Duration, Instant};

use kinoko::{
    CallError, Client, Settings,
    prelude::*,
    transport::{TransportOptions, connect},
};
use kinoko_tests::amqp_uri;

#[derive(Dependencies)]
struct Short;

#[service(name = "paths_short")]
impl Short {
    /// How the request came: the routing key of Nameko's path has a dot.
    #[rpc]
    fn stack(&self, #[inject] cx: WorkerContext) -> Vec<String> {
        cx.call_id_stack()
    }
}

#[derive(Dependencies)]
struct Long;

#[service(name = "paths_long", wire = "nameko")]
impl Long {
    #[rpc]
    fn hello(&self, bytes: Vec<u8>, id: std::net::IpAddr) -> (Vec<u8>, std::net::IpAddr) {
        (bytes, id)
    }
}

#[tokio::test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_service_has_namekos_queue_and_one_of_the_short_path() {
    let app = App::new().broker(amqp_uri()).service::<Short>().service::<Long>().start().await.unwrap();
    let transport = connect(&amqp_uri(), TransportOptions::default()).await.unwrap();
    for (queue, expected) in [
        ("rpc-paths_short", Some(1)),
        ("kinoko.rpc-paths_short", Some(1)),
        ("rpc-paths_long", Some(1)),
        ("kinoko.rpc-paths_long", None),
    ] {
        let status = transport.queue_status(&queue.into()).await.unwrap();
        assert_eq!(status.map(|status| status.consumers), expected, "{queue}");
    }
    transport.close().await;
    // The short path forms the caller's id from the correlation id, Nameko's sends it.
    let stack = app.client::<ShortClient>().stack().await.unwrap();
    assert_eq!(stack.len(), 2, "{stack:?}");
    assert!(stack[0].starts_with("standalone_rpc_client."), "{stack:?}");
    app.stop().await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn where_the_short_path_leads_nowhere_namekos_is_taken_in_json_and_remembered() {
    #[derive(Dependencies)]
    struct Later;
    #[service(name = "paths_later", wire = "nameko")]
    impl Later {
        #[rpc]
        fn hello(&self, bytes: serde_bytes::ByteBuf, id: std::net::IpAddr) -> (Vec<u8>, std::net::IpAddr) {
            (bytes.into_vec(), id)
        }
    }
    let app = App::new().broker(amqp_uri()).service::<Later>().start().await.unwrap();
    let client = Client::connect(&amqp_uri()).await.unwrap();
    let later = client.service::<LaterClient>();
    let address: std::net::IpAddr = "::1".parse().unwrap();
    let mut took = Vec::new();
    for _ in 0..3 {
        let started = Instant::now();
        // Types that a binary codec would write otherwise than JSON survive the change of codec.
        assert_eq!(later.hello(serde_bytes::ByteBuf::from([0, 255]), address).await.unwrap(), (vec![0, 255], address));
        took.push(started.elapsed());
    }
    assert!(took.iter().all(|took| *took < Duration::from_secs(2)), "{took:?}");
    client.close().await;
    app.stop().await.unwrap();
}

#[tokio::test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn an_unknown_service_is_told_within_a_tenth_of_a_second() {
    let client = Client::connect(&amqp_uri()).await.unwrap();
    // The first call opens the connections' channels.
    let _ = client.proxy().call("paths_nobody", "hello").await;
    let mut took = Vec::new();
    for _ in 0..20 {
        let started = Instant::now();
        let error = client.proxy().call("paths_nobody", "hello").await.unwrap_err();
        assert!(matches!(error, CallError::UnknownService { .. }), "{error:?}");
        took.push(started.elapsed());
    }
    // The fastest: the others say how busy the machine is. The proof `verdicts` prints the slowest of 50,000.
    assert!(took.iter().min() < Some(&Duration::from_millis(100)), "{took:?}");
    client.close().await;
}

#[tokio::test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn a_timeout_says_that_no_instance_is_running() {
    #[derive(Dependencies)]
    struct Gone;
    #[service(name = "paths_gone")]
    impl Gone {
        #[rpc]
        fn hello(&self) {}
    }
    App::new().broker(amqp_uri()).service::<Gone>().start().await.unwrap().stop().await.unwrap();
    let client = Client::connect(&amqp_uri()).await.unwrap();
    let error = client.service::<GoneClient>().hello().timeout(Duration::from_millis(1500)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`paths_gone.hello` did not answer within 1.5s: no instance of `paths_gone` is running"
    );
    client.close().await;
}

#[tokio::test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
async fn nested_calls_in_a_circle_do_not_stand_still_over_the_broker() {
    #[derive(Dependencies)]
    struct Left {
        right: RightClient,
    }
    #[derive(Dependencies)]
    struct Right {
        left: LeftClient,
    }
    #[service(name = "paths_left")]
    impl Left {
        #[rpc]
        async fn down(&self, depth: u32) -> kinoko::Result<u32> {
            if depth == 0 { Ok(0) } else { Ok(self.right.down(depth - 1).await? + 1) }
        }
    }
    #[service(name = "paths_right")]
    impl Right {
        #[rpc]
        async fn down(&self, depth: u32) -> kinoko::Result<u32> {
            if depth == 0 { Ok(0) } else { Ok(self.left.down(depth - 1).await? + 1) }
        }
    }
    for max_workers in [1, 2, 10] {
        let settings = Settings::from_yaml(&format!("max_workers: {max_workers}")).unwrap();
        let app = App::new().settings(settings).broker(amqp_uri()).service::<Left>().service::<Right>();
        let app = app.start().await.unwrap();
        let left = app.client::<LeftClient>();
        let mut pending = Vec::new();
        for _ in 0..40 {
            pending.push(left.down(7).send().await.unwrap());
        }
        for reply in pending {
            assert_eq!(reply.await.unwrap(), 7);
        }
        app.stop().await.unwrap();
    }
}

#[test]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
fn refused_credentials_and_virtual_hosts_end_a_program_with_3_and_say_which() {
    let address = amqp_uri().rsplit_once('@').unwrap().1.split('/').next().unwrap().to_owned();
    for (uri, expected) in [
        (format!("amqp://guest:hunter2-canary@{address}/"), "password"),
        (format!("{}/no-such-vhost", amqp_uri().trim_end_matches('/').trim_end_matches("/%2F")), "virtual host"),
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_program-with-a-service"))
            .env_clear()
            .env("KINOKO_AMQP_URI", uri)
            .env("KINOKO_LOG", "trace")
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{error}");
        let last = error.lines().last().unwrap();
        assert!(last.starts_with("error: ") && last.contains(expected), "{last}");
        let told = error.lines().filter(|line| line.contains(" ERROR ") || line.starts_with("error: ")).count();
        assert_eq!(told, 1, "{error}");
        assert!(!error.contains("hunter2-canary"), "a password in the log at TRACE");
    }
}

//! Three servers with access rules, of which the leader is killed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use kinoko_tests::{PrivateConsul, captured_log, eventually, soon};

use crate::stage::{caller, settings, start};

const TOKEN: &str = "5ca1ab1e-0000-4000-8000-00000000beef";

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(consul), ignore = "no Consul: KINOKO_TEST_CONSUL is not set")]
async fn discovery_answers_while_the_leader_is_killed() {
    captured_log();
    let mut servers = PrivateConsul::three_servers(TOKEN);
    let leader = servers.iter().position(PrivateConsul::leads).expect("one leads");
    let near = (leader + 1) % servers.len();
    let settings = settings(&servers[near].address(), &format!("  token: {TOKEN}\n"));
    let shelves = caller(&settings, "shelf");
    let app = start(settings.clone()).await;
    soon("it is found", shelves.wait_for(|all| all.len() == 1)).await;

    let (over, picks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let caller_task = tokio::spawn({
        let (shelves, over, picks) = (shelves.clone(), over.clone(), picks.clone());
        async move {
            while !over.load(Ordering::Relaxed) {
                drop(shelves.pick().await.expect("an instance throughout"));
                picks.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    servers[leader].kill9();
    eventually(Duration::from_secs(60), "another one leads", || async {
        servers.iter().any(PrivateConsul::leads).then_some(())
    })
    .await;
    // What changes from now on is heard of.
    let second = start(settings).await;
    soon("the second one is found", shelves.wait_for(|all| all.len() == 2)).await;
    over.store(true, Ordering::Relaxed);
    caller_task.await.unwrap();
    assert!(picks.load(Ordering::Relaxed) > 0);
    second.stop().await.unwrap();
    app.stop().await.unwrap();
    assert!(!captured_log().contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(consul), ignore = "no Consul: KINOKO_TEST_CONSUL is not set")]
async fn a_wrong_token_is_said_and_not_shown() {
    captured_log();
    let servers = PrivateConsul::three_servers(TOKEN);
    let settings = settings(&servers[0].address(), "  token: 00000000-0000-4000-8000-0badc0ffee00\n");
    let app = start(settings).await;
    let log = eventually(Duration::from_secs(10), "it is said", || async {
        let log = captured_log();
        log.contains("answered 403 Forbidden").then_some(log)
    })
    .await;
    assert!(log.contains("`consul.token` is what it knows this program by"), "{log}");
    assert!(!log.contains("0badc0ffee00"), "{log}");
    app.stop().await.unwrap();
}

//! A process that ends without a word.

use std::{
    process::{Child, Command, Stdio},
    time::Duration,
};

use kinoko_tests::{PrivateConsul, eventually, soon};
use tokio::time::Instant;

use crate::stage::{ask, caller, settings};

/// A process of the service; killed when it is dropped.
struct Process(Child);

impl Process {
    fn start(consul: &PrivateConsul) -> Self {
        let child = Command::new(env!("CARGO_BIN_EXE_program-stock"))
            .env("KINOKO_CONSUL__ADDRESS", consul.address())
            .env("KINOKO_CONSUL__CHECK_INTERVAL", "2s")
            .env("KINOKO_HTTP__ADDRESS", "127.0.0.1:0")
            .env("KINOKO_OPS__ENABLED", "false")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("the program"))
    }

    fn kill9(&mut self) {
        self.0.kill().expect("it runs");
        self.0.wait().expect("it was killed");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(consul), ignore = "no Consul: KINOKO_TEST_CONSUL is not set")]
async fn no_call_goes_to_a_killed_process_after_the_interval() {
    let consul = PrivateConsul::start_new();
    let stock = caller(&settings(&consul.address(), ""), "stock");
    let mut processes = [Process::start(&consul), Process::start(&consul)];
    soon("both are found", stock.wait_for(|all| all.len() == 2)).await;

    let killed = Instant::now();
    processes[0].kill9();
    // One who is told at once who failed needs no interval: a second try goes elsewhere.
    let mut failed = 0;
    while stock.list().len() == 2 {
        let first = stock.pick().await.unwrap();
        if ask(&first.address).await.is_err() {
            first.failed();
            failed += 1;
            let second = stock.pick().await.unwrap();
            assert_eq!(ask(&second.address).await.unwrap(), "7");
        }
    }
    // Consul's clocks are not this one's, and the machine is busy.
    let noticed = killed.elapsed();
    assert!(noticed < Duration::from_secs(2 + 3), "{noticed:?}");
    assert!(failed <= 1, "{failed} calls went to the one that was set aside");
    for _ in 0..100 {
        assert_eq!(ask(&stock.pick().await.unwrap().address).await.unwrap(), "7");
    }
    // Consul still knows of it, until it forgets it.
    let known = eventually(Duration::from_secs(5), "it is critical", || async {
        let known = consul.health("stock");
        (known.len() == 2).then_some(serde_json::Value::from(known).to_string())
    })
    .await;
    assert!(known.contains("TTL expired"), "{known}");
}

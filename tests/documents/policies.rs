//! The live board of policies, in a browser: a gateway breaks and is healed, and its circuit opens, closes and is forced.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use kinoko::{
    App, RunningApp, Settings,
    prelude::*,
    resilience::{CircuitBreaker, Class, Policy, RateLimit, Window},
};
use kinoko_tests::unique;

use crate::{artifacts, live::stranger, output, python, said, script};

const TOKEN: &str = "a token of operators";

/// Whether the gateway is down, for both instances.
static DOWN: AtomicBool = AtomicBool::new(false);

#[derive(Dependencies)]
struct Checkout {
    #[dependency(
        name = "gateway",
        timeout = "2s",
        bulkhead = 3,
        breaker = CircuitBreaker { window: Window::Calls(10), min_calls: 5, open_for: Duration::from_secs(1), ..CircuitBreaker::default() }
    )]
    gateway: Policy,
    #[dependency(name = "mail", rate_limit = RateLimit { calls: 1, per: Duration::from_secs(3600), burst: None })]
    mail: Policy,
}

#[service(name = "checkout")]
impl Checkout {
    /// What customers do.
    #[timer(every = "20ms")]
    async fn pay(&self) {
        let charge = || async {
            tokio::time::sleep(Duration::from_millis(2)).await;
            if DOWN.load(Ordering::Relaxed) { Err("the gateway is down") } else { Ok(()) }
        };
        self.gateway.run_with(|_| Class::FAILURE, charge).await.ok();
        self.mail.run_with(|_: &&str| Class::FAILURE, || async { Ok(()) }).await.ok();
    }

    #[http(PUT, "/gateway/{state}")]
    async fn turn(&self, state: String) {
        DOWN.store(state == "down", Ordering::Relaxed);
    }
}

async fn start(broker: &str) -> RunningApp {
    let mut settings = Settings::default();
    settings.set("http.address", "127.0.0.1:0");
    settings.set("ops.address", "127.0.0.1:0");
    settings.set("mode", "production");
    settings.set("ops.token", TOKEN);
    App::new().service::<Checkout>().settings(settings).broker(broker).start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(browser), ignore = "needs Python with playwright, and Chromium: run ./test.sh")]
async fn a_gateway_breaks_and_is_healed_before_a_browser() {
    let broker = format!("memory://{}", unique("policies-page"));
    let (app, other) = (start(&broker).await, start(&broker).await);
    let stranger = stranger(&broker).await;
    let artifacts = artifacts();
    std::fs::create_dir_all(&artifacts).unwrap();
    let mut command = python();
    let [ops, http] = [app.ops_address(), app.http_address()].map(|address| format!("http://{}", address.unwrap()));
    command.arg(script("policies_page.py")).args([&ops, &http, TOKEN]).arg(&artifacts);
    let output = output(command).await;
    assert!(output.status.success(), "{}", said(&output));
    stranger.close().await;
    app.stop().await.unwrap();
    other.stop().await.unwrap();
}

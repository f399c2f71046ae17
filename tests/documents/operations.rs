//! The operations page, in a browser: a saga that is parked is found, looked at, and retried.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use kinoko::{App, Settings, prelude::*};
use kinoko_tests::eventually;
use serde::{Deserialize, Serialize};

use crate::{artifacts, output, python, said, script};

const TOKEN: &str = "a token of operators";

/// The first parcel is refused once.
static REFUSED: AtomicBool = AtomicBool::new(false);

#[derive(Serialize, Deserialize)]
struct Parcel {
    to: String,
}

#[derive(Debug, thiserror::Error, ServiceError)]
#[error("<img src=x onerror=\"window.hacked = true\"> does not live here")]
struct Unknown;

#[derive(Dependencies)]
struct Deliver;

#[saga(name = "deliver")]
impl Deliver {
    #[step]
    fn pack(&self, parcel: &Parcel) -> u64 {
        parcel.to.len() as u64
    }

    #[step(retry(max = 1))]
    fn send(&self, _: &Parcel) -> Result<(), Unknown> {
        if REFUSED.swap(true, Ordering::AcqRel) { Ok(()) } else { Err(Unknown) }
    }
}

#[derive(Dependencies)]
struct Post {
    deliver: Saga<Deliver>,
}

#[service(name = "post")]
impl Post {
    #[rpc]
    async fn deliver(&self, id: String, to: String) -> kinoko::Result<()> {
        drop(self.deliver.start(id, Parcel { to }).await?);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(browser), ignore = "needs Python with playwright, and Chromium: run ./test.sh")]
async fn a_parked_saga_is_found_and_retried_in_a_browser_that_is_cut_off() {
    let mut settings = Settings::default();
    settings.set("ops.address", "127.0.0.1:0");
    settings.set("mode", "production");
    settings.set("ops.token", TOKEN);
    let app = App::new().service::<Post>().settings(settings).start().await.unwrap();
    let client = app.client::<PostClient>();
    let (id, to) = ("parcel/<b>1</b>", "Ada, who wants nobody to know");
    client.deliver(id.into(), to.into()).await.unwrap();
    let refused = || async { REFUSED.load(Ordering::Acquire).then_some(()) };
    eventually(Duration::from_secs(10), "it is refused", refused).await;
    // More than one page of them.
    for number in 0..60 {
        client.deliver(format!("letter-{number}"), to.into()).await.unwrap();
    }
    let artifacts = artifacts();
    std::fs::create_dir_all(&artifacts).unwrap();
    let mut command = python();
    let address = format!("http://{}", app.ops_address().unwrap());
    command
        .arg(script("operations_page.py"))
        .args([&address, TOKEN, id, to])
        .arg(artifacts.join("operations-page.png"));
    let output = output(command).await;
    assert!(output.status.success(), "{}", said(&output));
    app.stop().await.unwrap();
}

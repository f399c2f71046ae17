//! Proof `verdicts`: under load, not one verdict reaches the wrong caller.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kinoko::{CallError, prelude::*};
use kinoko_tests::{amqp_uri, unique};

use crate::proof_calls;

#[derive(Dependencies)]
struct Verdicts;

#[service(name = "verdicts")]
impl Verdicts {
    #[rpc]
    async fn echo(&self, id: u64) -> u64 {
        id
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(not(broker), ignore = "needs RabbitMQ: run ./test.sh, or set KINOKO_TEST_AMQP_URI")]
#[allow(clippy::print_stdout, reason = "the proof prints its counts")]
async fn no_verdict_reaches_the_wrong_caller() {
    const TASKS: usize = 64;
    let calls = proof_calls(10_000);
    let app = App::new().broker(amqp_uri()).service::<Verdicts>().start().await.unwrap();
    let (echo, proxy) = (app.client::<VerdictsClient>(), app.proxy());
    let nobody = unique("nobody");
    let [answered, unknown, wrong] = [(); 3].map(|()| Arc::new(AtomicUsize::new(0)));
    let slowest_unknown = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let tasks = (0..TASKS).map(|task| {
        let (echo, proxy, nobody) = (echo.clone(), proxy.clone(), nobody.clone());
        let (answered, unknown, wrong) = (answered.clone(), unknown.clone(), wrong.clone());
        let slowest_unknown = slowest_unknown.clone();
        tokio::spawn(async move {
            for call in (task..calls).step_by(TASKS) {
                let id = call as u64;
                // Tasks alternate out of step, so that both kinds are always in flight together.
                if (call / TASKS + task).is_multiple_of(2) {
                    match echo.echo(id).await {
                        Ok(reply) if reply == id => answered.fetch_add(1, Ordering::Relaxed),
                        other => {
                            println!("call {id}: {other:?}");
                            wrong.fetch_add(1, Ordering::Relaxed)
                        }
                    };
                } else {
                    let asked = Instant::now();
                    match proxy.call(nobody.clone(), "echo").kwarg("id", id).await {
                        Err(CallError::UnknownService { service, .. }) if service == nobody => {
                            let millis = usize::try_from(asked.elapsed().as_millis()).unwrap();
                            slowest_unknown.fetch_max(millis, Ordering::Relaxed);
                            unknown.fetch_add(1, Ordering::Relaxed)
                        }
                        other => {
                            println!("call {id} to nobody: {other:?}");
                            wrong.fetch_add(1, Ordering::Relaxed)
                        }
                    };
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let [answered, unknown, wrong] = [answered, unknown, wrong].map(|count| count.load(Ordering::Relaxed));
    let slowest = Duration::from_millis(slowest_unknown.load(Ordering::Relaxed) as u64);
    println!(
        "{calls} calls of {TASKS} tasks in {:?}: {answered} answered, {unknown} told that nobody is there \
         (the slowest after {slowest:?}), {wrong} wrong, {} still pending",
        started.elapsed(),
        app.pending_calls()
    );
    assert_eq!((answered + unknown, wrong, app.pending_calls()), (calls, 0, 0));
    app.stop().await.unwrap();
}

//! Methods that hold every thread of the service's runtime.

use std::{
    sync::{atomic::Ordering, mpsc},
    thread,
    time::Duration,
};

use kinoko::{RunningApp, prelude::*};
use tokio::{runtime::Builder, sync::oneshot, task::block_in_place};

use crate::{
    load::{BEGUN, Backlog, CALLERS, Echo, EchoClient},
    node::Node,
    trial::{Gap, Trial},
};

const THREADS: usize = 2;
const HELD: Duration = Duration::from_secs(15);

/// Starts the service on a runtime of its own, which lives until `end` is dropped.
fn serve(uri: String) -> (RunningApp, oneshot::Sender<()>) {
    let (tell, started) = mpsc::channel();
    let (end, ended) = oneshot::channel();
    thread::spawn(move || {
        let runtime = Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().unwrap();
        let app = App::new().broker(uri).service::<Echo>().service::<Backlog>();
        tell.send(runtime.block_on(runtime.spawn(app.start())).unwrap().unwrap()).unwrap();
        let _ = runtime.block_on(ended);
    });
    (started.recv().unwrap(), end)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn blocked() {
    let node = Node::get().await;
    let (server, _end) = block_in_place(|| serve(node.uri()));
    let trial = Trial::around("every thread of the service held for 15 s", &node, &node.uri(), server).await;
    let connections = || block_in_place(|| node.ctl(&["list_connections", "--no-table-headers", "pid", "name"]));
    let before = connections();
    let echo = trial.client.service::<EchoClient>();
    let mut held = Vec::new();
    for _ in 0..THREADS {
        let call = echo.block(HELD.as_millis() as u64).timeout(2 * HELD);
        held.push(call.send().await.unwrap());
    }
    let begun = BEGUN.load(Ordering::Relaxed);
    for pending in held {
        pending.await.unwrap();
    }
    // What came meanwhile waited in this process, where the broker cannot drop it any more, and its callers have gone.
    let answered = trial.answered();
    trial.some_more(100).await;
    let (begun, answered) = (BEGUN.load(Ordering::Relaxed) - begun, trial.answered() - answered);
    assert!(begun <= answered + 2 * CALLERS, "{begun} were begun when {answered} were answered");
    let mut connections = [before, connections()].map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
    connections.iter_mut().for_each(|lines| lines.sort());
    assert_eq!(connections[0], connections[1], "the connections are the same");
    trial.finish(&node, Gap::None).await;
}

use std::time::Duration;

use kinoko_tests::{PrivateBroker, Replies, eventually, soon};
use tokio::time::timeout;

use crate::support::open;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn requester_dropped_while_it_opens_leaves_no_queue() {
    let broker = PrivateBroker::start_new();
    let transport = open(&broker.uri()).await;
    let mut opened = 0;
    for step in 0..100 {
        let opening = transport.open_requester("left", Replies::new().0);
        opened += usize::from(timeout(Duration::from_micros(100 * step), opening).await.is_ok());
    }
    assert!(opened < 100, "none was dropped while it opened");
    let requester = soon("a requester", transport.open_requester("kept", Replies::new().0)).await.unwrap();
    let queues = || async {
        let queues = broker.ctl(&["-q", "list_queues", "name"]);
        let queues: Vec<_> = queues.lines().filter(|name| name.starts_with("rpc.reply-")).map(str::to_owned).collect();
        (queues.len() == 1 && queues[0].starts_with("rpc.reply-kept-")).then_some(())
    };
    eventually(Duration::from_secs(20), "no queue is left but that of the one that is kept", queues).await;
    drop(requester);
    soon("a close", transport.close()).await;
}

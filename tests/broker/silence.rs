//! A queue that confirms nothing: its quorum queue has no leader, or whoever leads it stands still.

use std::time::Duration;

use kinoko::{
    ErrorKind,
    protocol::Name,
    transport::{Queue, Topology},
};
use kinoko_tests::{PrivateBroker, eventually, message, soon, unique};
use tokio::{task::spawn_blocking, time::timeout};

use crate::support::{open, queue};

/// Longer than a publish waits for its confirm.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn a_queue_that_confirms_nothing_holds_up_the_others_once_and_delays_pass_it_by() {
    let broker = spawn_blocking(PrivateBroker::start_new).await.unwrap();
    let transport = open(&broker.uri()).await;
    let (silent, well): (Name, Name) = (unique("broker.silent").into(), unique("broker.well").into());
    let topology = Topology {
        queues: vec![Queue::durable(silent.clone()).quorum(), Queue { name: well.clone(), ..queue() }],
        ..Topology::default()
    };
    soon("a declaration", transport.declare(topology)).await.unwrap();
    // 2^11 ms and some more, so that its first queue is this one.
    let delay = Duration::from_millis(2_500);
    soon("a confirm", transport.publish_later(message("", &well, "first"), delay)).await.unwrap();
    soon("a confirm", transport.publish(message("", &silent, "first"))).await.unwrap();
    for queue in [&*silent, "kinoko.delay.11"] {
        broker.ctl(&["eval", &format!("sys:suspend('%2F_{queue}').")]);
    }

    let late = timeout(PATIENCE, transport.publish(message("", &silent, "late"))).await.expect("an end");
    assert_eq!(late.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    // From now on it is known, and nobody waits for it.
    let known = soon("an answer", transport.publish(message("", &silent, "known"))).await.unwrap_err();
    assert_eq!(known.kind(), ErrorKind::Unavailable);
    assert!(known.to_string().contains("may have no leader"), "{known}");
    soon("a confirm", transport.publish(message("", &well, "well"))).await.unwrap();

    let late = timeout(PATIENCE, transport.publish_later(message("", &well, "late"), delay)).await.expect("an end");
    assert_eq!(late.unwrap_err().kind(), ErrorKind::OutcomeUnknown);
    soon("a confirm", transport.publish_later(message("", &well, "later"), delay)).await.unwrap();

    // It is asked again after a while, and counts as well again.
    for queue in [&*silent, "kinoko.delay.11"] {
        broker.ctl(&["eval", &format!("sys:resume('%2F_{queue}').")]);
    }
    let publish = || async { transport.publish(message("", &silent, "again")).await.ok() };
    eventually(PATIENCE, "it confirms again", publish).await;
    soon("a confirm", transport.publish(message("", &silent, "and again"))).await.unwrap();
    soon("a close", transport.close()).await;
}

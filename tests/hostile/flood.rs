//! Proof `hostile`: random messages by the million. All that can be answered are, once each; memory stays where it was.

use std::{
    fs,
    future::IntoFuture,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use fastrand::Rng;
use kinoko::{
    Settings,
    prelude::*,
    protocol::{Message, Value},
};
use kinoko_tests::{eventually, soon};

use crate::{
    generator::Shot,
    sender::Sender,
    target::{Flooded, FloodedClient},
    wire::WirePublisher,
};

const NAME: &str = "hostile_flooded";
const MAX_BODY_BYTES: usize = 64 * 1024;
/// So many may be without an answer at a time.
const WINDOW: usize = 2_000;
/// The most that the process may grow by after its first tenth.
const GROWTH_MIB: usize = 256;

fn shots() -> usize {
    std::env::var("KINOKO_TEST_PROOF_HOSTILE").ok().and_then(|count| count.parse().ok()).unwrap_or(10_000)
}

/// A seed of its own for each run, printed, so that a failure can be had again.
fn seed() -> u64 {
    std::env::var("KINOKO_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..))
}

/// Resident memory; 0 where the system does not tell.
fn resident_mib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<usize>().ok()).unwrap_or_default() / 1024
}

#[allow(clippy::print_stdout, reason = "the proof prints its counts")]
pub(crate) async fn random_messages_are_survived(broker: &str) {
    let (count, seed) = (shots(), seed());
    println!("seed {seed}");
    let settings = Settings::from_yaml(&format!("max_body_bytes: {MAX_BODY_BYTES}")).unwrap();
    let app = App::new().settings(settings).broker(broker).service::<Flooded>().start().await.unwrap();
    let sender = Arc::new(Sender::open(broker).await);
    let reply_to = sender.reply_to().await;

    let answers: Arc<Vec<AtomicU8>> = Arc::new((0..count).map(|_| AtomicU8::new(0)).collect());
    let answered = Arc::new(AtomicUsize::new(0));
    let counting = tokio::spawn({
        let (sender, answers, answered) = (sender.clone(), answers.clone(), answered.clone());
        async move {
            loop {
                let reply: Message = sender.replies.wait().await;
                let id = reply.properties.correlation_id.as_deref().and_then(|id| id.parse::<usize>().ok());
                answers[id.expect("an id of ours")].fetch_add(1, Ordering::Relaxed);
                assert!(reply.body.len() <= 2 * MAX_BODY_BYTES, "an answer of {} bytes", reply.body.len());
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }
    });

    let mut rng = Rng::with_seed(seed);
    let mut wire = if broker.starts_with("amqp") { Some(WirePublisher::connect(broker)) } else { None };
    let (mut expected, mut first_tenth, started) = (0, 0, Instant::now());
    let mut wanted = Vec::with_capacity(count);
    for id in 0..count {
        let shot = Shot::random(&mut rng);
        wanted.push(shot.wants_answer);
        expected += usize::from(shot.wants_answer);
        match &mut wire {
            Some(wire) => wire.publish(&shot, NAME, id, &reply_to),
            None => sender.publish(shot.message(NAME, id, &reply_to, &mut rng)).await,
        }
        if id % 500 == 499 {
            if let Some(wire) = &mut wire {
                wire.flushed();
            }
            let floor = expected.saturating_sub(WINDOW);
            eventually(Duration::from_secs(60), "answers", || async {
                (answered.load(Ordering::Relaxed) >= floor || counting.is_finished()).then_some(())
            })
            .await;
        }
        if id == count / 10 {
            first_tenth = resident_mib();
        }
    }
    if let Some(wire) = &mut wire {
        wire.flushed();
    }
    // Behind all of them in both queues.
    let flooded = app.client::<FloodedClient>();
    assert_eq!(soon("an answer", flooded.echo(Value::from(7)).into_future()).await.unwrap(), 7);
    sender.drained(NAME).await;
    eventually(Duration::from_secs(60), "the last answers", || async {
        (answered.load(Ordering::Relaxed) >= expected || counting.is_finished()).then_some(())
    })
    .await;
    eventually(Duration::from_secs(60), "the end of all workers", || async {
        (app.running_workers() == 0).then_some(())
    })
    .await;
    assert!(!counting.is_finished(), "{:?}", counting.await);
    let (took, last) = (started.elapsed(), resident_mib());
    counting.abort();
    let wrong: Vec<_> = (0..count)
        .filter(|id| answers[*id].load(Ordering::Relaxed) != u8::from(wanted[*id]))
        .map(|id| (id, answers[id].load(Ordering::Relaxed)))
        .collect();
    println!(
        "{broker}: {count} random messages in {took:.1?}, {expected} answered, {} wrongly; {first_tenth} MiB after a tenth, {last} MiB at the end",
        wrong.len()
    );
    assert!(wrong.is_empty(), "not answered, or more than once: {:?}", &wrong[..wrong.len().min(20)]);
    assert!(last <= first_tenth + GROWTH_MIB, "from {first_tenth} to {last} MiB");
    app.stop().await.unwrap();
    // What was delivered and not settled would be there again.
    sender.drained(NAME).await;
}

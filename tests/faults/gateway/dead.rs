//! 64 callers, and a gateway that is dead for a while.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use contracts::{PaymentState, PaymentsClient};
use gateway::{Outage, Switch};
use kinoko_tests::eventually;
use tokio::{task::JoinHandle, time::sleep};

use super::{Stage, seconds};
use crate::report;

const CALLERS: usize = 64;

/// What a caller does between two of its calls.
const PAUSE: Duration = Duration::from_millis(200);

struct Answered {
    began: Instant,
    took: Duration,
    state: Result<PaymentState, String>,
}

/// Each charges one order after the other.
struct Callers {
    running: Arc<AtomicBool>,
    answered: Arc<Mutex<Vec<Answered>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Callers {
    fn start(payments: &PaymentsClient) -> Self {
        let (running, answered) = (Arc::new(AtomicBool::new(true)), Arc::<Mutex<Vec<Answered>>>::default());
        let orders = Arc::<AtomicU64>::default();
        let tasks = (0..CALLERS).map(|_| {
            let (payments, orders) = (payments.clone(), orders.clone());
            let (running, answered) = (running.clone(), answered.clone());
            tokio::spawn(async move {
                while running.load(Ordering::Relaxed) {
                    let (order, began) = (orders.fetch_add(1, Ordering::Relaxed), Instant::now());
                    let charge = payments.charge(order, 500).idempotency_key(format!("order-{order}"));
                    let ended = charge.timeout(Duration::from_secs(5)).await;
                    let state = ended.map(|payment| payment.state).map_err(|error| error.to_string());
                    answered.lock().unwrap().push(Answered { began, took: began.elapsed(), state });
                    sleep(PAUSE).await;
                }
            })
        });
        Self { tasks: tasks.collect(), running, answered }
    }

    async fn stop(self) -> Vec<Answered> {
        self.running.store(false, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        std::mem::take(&mut *self.answered.lock().unwrap())
    }
}

/// A while in which the gateway was dead.
struct Outing {
    name: &'static str,
    from: Instant,
    to: Instant,
    /// How many requests the gateway saw in it, the timer's among them.
    requests: u64,
    opened: Option<Duration>,
    closed: Option<Duration>,
}

impl Outing {
    async fn happen(stage: &Stage, name: &'static str, switch: Switch, circuit: Circuit) -> Self {
        if circuit == Circuit::HeldClosed {
            stage.ops.hold_circuit("closed").await;
        }
        let (before, from) = (stage.gateway.counts().requests, Instant::now());
        stage.gateway.switch(switch);
        let opened = match circuit {
            Circuit::Automatic => Some(stage.ops.circuit_is("open", from).await),
            Circuit::HeldClosed => None,
        };
        sleep(seconds(10, 4).saturating_sub(from.elapsed())).await;
        let (requests, to) = (stage.gateway.counts().requests - before, Instant::now());
        stage.gateway.switch(Switch::default());
        let closed = match circuit {
            Circuit::Automatic => Some(stage.ops.circuit_is("closed", to).await),
            Circuit::HeldClosed => {
                stage.ops.hold_circuit("automatic").await;
                None
            }
        };
        Self { name, from, to, requests, opened, closed }
    }

    /// What the calls that began in it came to, and what became of the circuit.
    fn check(&self, answered: &[Answered]) {
        let calls: Vec<_> = answered.iter().filter(|call| (self.from..self.to).contains(&call.began)).collect();
        let of_state = |state| calls.iter().filter(|call| call.state == Ok(state)).count();
        let (charged, pending) = (of_state(PaymentState::Charged), of_state(PaymentState::Pending));
        let amplification = self.requests as f64 / calls.len() as f64;
        let circuit = match (self.opened, self.closed) {
            (Some(opened), Some(closed)) => {
                format!("circuit open after {opened:.1?}, closed {closed:.1?} after the end")
            }
            _ => "circuit held closed".to_owned(),
        };
        report(
            &format!("{CALLERS} callers, the gateway {} for {:.1?}", self.name, self.to - self.from),
            &format!(
                "{} calls: {pending} answered as pending, {charged} as charged, {} failed, the slowest took {:.0?}; {circuit}; \
                 {} requests reached the gateway, amplification {amplification:.3}",
                calls.len(),
                calls.len() - pending - charged,
                calls.iter().map(|call| call.took).max().unwrap_or_default(),
                self.requests,
            ),
        );
        assert_eq!(
            pending + charged,
            calls.len(),
            "{:?}",
            calls.iter().find(|call| call.state.is_err()).unwrap().state
        );
        assert!(pending > CALLERS, "it was not dead");
        assert!(amplification <= 1.1, "{amplification}");
        assert!(self.opened.is_none_or(|opened| opened <= Duration::from_secs(1)), "{circuit}");
        assert!(self.closed.is_none_or(|closed| closed <= Duration::from_secs(3)), "{circuit}");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Circuit {
    Automatic,
    /// By its operator: what holds requests back is the budget of retries, and nothing else.
    HeldClosed,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg_attr(
    not(private_broker),
    ignore = "needs a RabbitMQ of its own: run ./test.sh, or set KINOKO_TEST_RABBITMQ_SERVER"
)]
async fn callers_of_a_dead_gateway_are_answered_and_it_is_left_alone() {
    let stage = Stage::start(256).await;
    let callers = Callers::start(&stage.payments);
    let mut outings = Vec::new();
    for (name, switch, circuit) in [
        ("refuses", Switch::down(Outage::Refuses), Circuit::Automatic),
        ("is silent", Switch::down(Outage::Silent), Circuit::Automatic),
        ("charges and answers too late", Switch::slow(Duration::from_secs(2)), Circuit::Automatic),
        ("refuses", Switch::down(Outage::Refuses), Circuit::HeldClosed),
    ] {
        // All is well meanwhile, so that the breaker looks back upon calls that went well.
        sleep(seconds(5, 1)).await;
        outings.push(Outing::happen(&stage, name, switch, circuit).await);
    }
    sleep(seconds(5, 1)).await;
    let answered = callers.stop().await;
    for outing in &outings {
        outing.check(&answered);
    }

    let settled = Instant::now();
    let none_is_pending = || async { (stage.count("pending").await == 0).then_some(()) };
    eventually(Duration::from_secs(120), "all payments are settled", none_is_pending).await;
    let (calls, charged, counts) = (answered.len() as u64, stage.count("charged").await, stage.gateway.counts());
    let healthy =
        answered.iter().filter(|call| outings.iter().all(|outing| !(outing.from..outing.to).contains(&call.began)));
    report(
        "the gateway is back",
        &format!(
            "all settled {:.1?} after the last call: {calls} orders, {charged} charged in the books, {} times by the gateway for {} orders, \
             so {} twice and {} lost; of calls while it was well the slowest took {:.0?}",
            settled.elapsed(),
            counts.charges,
            counts.orders,
            counts.charges - counts.orders,
            calls - counts.orders,
            healthy.map(|call| call.took).max().unwrap_or_default(),
        ),
    );
    assert_eq!((charged, counts.charges, counts.orders), (calls, calls, calls));
    stage.stop().await;
}

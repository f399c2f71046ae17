//! Methods that panic, and nothing else but their calls suffers.

use std::{
    panic,
    sync::{
        Arc, Once,
        atomic::{AtomicUsize, Ordering},
    },
};

use kinoko::{CallError, prelude::*};
use tokio::sync::Semaphore;

const WANTED: &str = "a panic that the test wants";

/// Keeps the wanted ones out of the test's output, a hundred thousand lines of it.
fn hide_wanted_panics() {
    static HIDDEN: Once = Once::new();
    HIDDEN.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>() != Some(&WANTED) {
                hook(info);
            }
        }));
    });
}

#[derive(Clone)]
struct Slots(Arc<Gauge>);

struct Gauge {
    inside: AtomicUsize,
    gate: Semaphore,
}

impl Dependency for Slots {
    type Options = ();
    async fn setup(_: &SetupContext, (): ()) -> kinoko::Result<Self> {
        Ok(Self(Arc::new(Gauge { inside: AtomicUsize::new(0), gate: Semaphore::new(0) })))
    }
}

const WORKERS: usize = 5;

#[derive(Dependencies)]
struct Panicking {
    slots: Slots,
}

#[service(name = "panics_panicking", max_workers = 5)]
impl Panicking {
    #[rpc]
    async fn before_an_await(&self) {
        panic::panic_any(WANTED);
    }

    #[rpc(max_workers = 3)]
    async fn after_an_await(&self) {
        tokio::task::yield_now().await;
        panic::panic_any(WANTED);
    }

    #[rpc]
    fn sync(&self) {
        panic::panic_any(WANTED);
    }

    /// Returns when as many workers are in it as there may be.
    #[rpc]
    async fn together(&self) {
        let gauge = &self.slots.0;
        if gauge.inside.fetch_add(1, Ordering::SeqCst) + 1 == WORKERS {
            gauge.gate.add_permits(WORKERS);
        }
        gauge.gate.acquire().await.unwrap().forget();
    }
}

#[tokio::test]
async fn no_slot_is_lost_when_every_method_panics() {
    const CALLERS: usize = 50;
    const CALLS: usize = 100_000;
    hide_wanted_panics();
    let app = App::new().service::<Panicking>().start().await.unwrap();
    let client = app.client::<PanickingClient>();
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let client = client.clone();
        tasks.spawn(async move {
            for call in (caller..CALLS).step_by(CALLERS) {
                let call = match call % 3 {
                    0 => client.before_an_await(),
                    1 => client.after_an_await(),
                    _ => client.sync(),
                };
                match call.await {
                    Err(CallError::Remote(fault)) => assert_eq!(fault.exc_path, "kinoko.Panic"),
                    other => panic!("{other:?}"),
                }
            }
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    assert_eq!((app.running_workers(), app.pending_calls()), (0, 0));
    // Every slot is there: so many run at once.
    let mut together = Vec::new();
    for _ in 0..WORKERS {
        together.push(client.together().send().await.unwrap());
    }
    for reply in together {
        reply.await.unwrap();
    }
    app.stop().await.unwrap();
}

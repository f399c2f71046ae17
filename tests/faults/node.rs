use std::{
    collections::BTreeMap,
    ops::{Deref, DerefMut},
};

use kinoko_tests::PrivateBroker;
use tokio::{
    sync::{Mutex, MutexGuard, OnceCell},
    task::block_in_place,
};

static NODE: OnceCell<Mutex<PrivateBroker>> = OnceCell::const_new();

/// The node of this process, which each test has for itself: a boot takes longer than most faults.
pub(crate) struct Node(MutexGuard<'static, PrivateBroker>);

impl Node {
    pub(crate) async fn get() -> Self {
        let node = NODE.get_or_init(|| async { Mutex::new(block_in_place(PrivateBroker::stopped)) }).await;
        let mut node = node.lock().await;
        if !node.accepts() {
            block_in_place(|| node.start());
        }
        Self(node)
    }

    /// Connections, channels and queues that the broker counts.
    pub(crate) fn census(&self) -> Census {
        let count = "io:format(\"~p ~p ~p~n\", [length(rabbit_networking:connections()), length(rabbit_channel:list()), \
                     length(rabbit_amqqueue:list_names())]).";
        let text = block_in_place(|| self.ctl(&["eval", count]));
        let mut counts = text.split_whitespace().map_while(|word| word.parse().ok());
        let mut next = || counts.next().unwrap_or_else(|| panic!("three counts: {text}"));
        Census { connections: next(), channels: next(), queues: next() }
    }

    /// The queues that hold messages, delivered ones included, and how many.
    pub(crate) fn full_queues(&self) -> BTreeMap<String, usize> {
        let text = block_in_place(|| self.ctl(&["-q", "list_queues", "--no-table-headers", "name", "messages"]));
        let queues = text.lines().filter_map(|line| line.split_once('\t'));
        let queues = queues.map(|(name, messages)| (name.to_owned(), messages.trim().parse().unwrap_or(usize::MAX)));
        queues.filter(|(_, messages)| *messages > 0).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Census {
    pub(crate) connections: usize,
    pub(crate) channels: usize,
    pub(crate) queues: usize,
}

impl Deref for Node {
    type Target = PrivateBroker;
    fn deref(&self) -> &PrivateBroker {
        &self.0
    }
}

impl DerefMut for Node {
    fn deref_mut(&mut self) -> &mut PrivateBroker {
        &mut self.0
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Frozen, alarmed or worse: the next test gets a fresh one.
        if std::thread::panicking() && self.0.accepts() {
            self.0.kill9();
        }
    }
}

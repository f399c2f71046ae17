//! One entry in Consul, kept there for as long as the program runs.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    Consul,
    entry::{Entry, Word},
};
use crate::{Result, container::Program};

/// How often it looks whether the program is ready.
const LOOK: Duration = Duration::from_millis(500);
/// How often an agent that does not answer is tried again.
const RETRY: Duration = Duration::from_secs(2);
/// How long a stop waits for an agent.
const LAST_WORD: Duration = Duration::from_secs(2);

pub(super) struct Registration {
    pub(super) consul: Arc<Consul>,
    pub(super) program: Program,
    pub(super) entry: Entry,
    /// How often the agent hears of it: a third of what it waits for.
    pub(super) renewal: Duration,
    pub(super) stopping: CancellationToken,
    pub(super) closing: CancellationToken,
}

impl Registration {
    /// Registers, renews, registers again where the agent has lost it, and deregisters at the end.
    pub(super) async fn keep(self) {
        let (mut known, mut told, mut lost, mut is_registered) = (None, Instant::now(), false, false);
        let (mut at, mut is_stopping) = (Instant::now(), false);
        let (stopping, closing) = (self.stopping.clone(), self.closing.clone());
        loop {
            tokio::select! {
                biased;
                () = closing.cancelled() => break,
                // Callers are to hear of it before the ports are shut.
                () = stopping.cancelled(), if !is_stopping => is_stopping = true,
                () = sleep_until(at) => {}
            }
            let word = self.word();
            let is_new = known.as_ref() != Some(&word);
            if !is_new && told.elapsed() < self.renewal {
                at = Instant::now() + LOOK;
                continue;
            }
            let said = tokio::select! {
                said = self.say(&word, is_registered) => said,
                () = closing.cancelled() => break,
            };
            match said {
                Ok(()) => {
                    if lost || !is_registered {
                        let (service, id) = (&self.entry.name, &self.entry.id);
                        tracing::info!(service, id, status = word.status, "Consul: registered");
                    }
                    (known, told, lost, is_registered) = (Some(word), Instant::now(), false, true);
                    at = told + LOOK;
                }
                Err(error) => {
                    if !lost {
                        let (service, id) = (&self.entry.name, &self.entry.id);
                        tracing::warn!(service, id, %error, "Consul does not hear of this instance");
                    }
                    (known, lost) = (None, true);
                    // Many programs lose one agent together.
                    at = Instant::now() + RETRY.min(self.renewal).mul_f64(0.5 + fastrand::f64() / 2.0);
                }
            }
        }
        let path = format!("/v1/agent/service/deregister/{}", self.entry.id);
        match timeout(LAST_WORD, self.consul.put(&path, None::<&()>)).await {
            Ok(Ok(_)) => tracing::debug!(id = self.entry.id, "Consul: deregistered"),
            Ok(Err(error)) => tracing::warn!(id = self.entry.id, %error, "Consul: not deregistered"),
            Err(_) => tracing::warn!(id = self.entry.id, "Consul: not deregistered in time"),
        }
    }

    /// How the program is.
    fn word(&self) -> Word {
        if self.stopping.is_cancelled() {
            return Word { status: "critical", output: "stopping".to_owned() };
        }
        let readiness = self.program.readiness();
        let status = if readiness.is_ready() { "passing" } else { "critical" };
        Word { status, output: readiness.to_string() }
    }

    async fn say(&self, word: &Word, is_registered: bool) -> Result<()> {
        if is_registered && self.renew(word).await? {
            return Ok(());
        }
        let path = "/v1/agent/service/register?replace-existing-checks=true";
        self.consul.put(path, Some(&self.entry)).await?;
        if self.entry.check.is_ttl() {
            self.renew(word).await?;
        }
        Ok(())
    }

    /// `false`: the agent does not know it, or not any more.
    async fn renew(&self, word: &Word) -> Result<bool> {
        if !self.entry.check.is_ttl() {
            return self.consul.knows(&format!("/v1/agent/service/{}", self.entry.id)).await;
        }
        self.consul.put(&format!("/v1/agent/check/update/{}", self.entry.check.id), Some(word)).await
    }
}

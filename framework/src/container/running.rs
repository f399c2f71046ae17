use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};

use super::{
    container::Container,
    pulse::{Phase, Pulse},
    readiness::Readiness,
};
use crate::{
    Error, ErrorKind, Result,
    client::{ClientOptions, RpcClient, ServiceClient, ServiceProxy, TypedClient},
    dead_letter::DeadLetters,
    dependency::{ContainerScope, ProcessScope},
    event::{EventDispatcher, Publisher},
    transport::{ConnectionState, Transport},
};

/// Services that run. Dropped without [`stop`](Self::stop), they end without order, as in a crash.
#[must_use = "the services end when this is dropped"]
pub struct RunningApp {
    pub(super) containers: Vec<Arc<Container>>,
    pub(super) scopes: Vec<Arc<ContainerScope>>,
    transport: Arc<dyn Transport>,
    rpc: Arc<RpcClient>,
    process: Arc<ProcessScope>,
    grace: Duration,
    dead_letters: OnceLock<DeadLetters>,
    pub(super) pulse: Arc<Pulse>,
    #[cfg(feature = "http")]
    pub(crate) doors: crate::http::Doors,
}

impl RunningApp {
    pub(super) fn new(
        transport: Arc<dyn Transport>,
        rpc: Arc<RpcClient>,
        process: Arc<ProcessScope>,
        grace: Duration,
    ) -> Self {
        Self {
            containers: Vec::new(),
            scopes: Vec::new(),
            pulse: Pulse::new(transport.clone()),
            transport,
            rpc,
            process,
            grace,
            dead_letters: OnceLock::new(),
            #[cfg(feature = "http")]
            doors: Default::default(),
        }
    }

    pub(super) fn add(&mut self, container: Container) {
        let container = Arc::new(container);
        self.pulse.add(&container);
        self.containers.push(container);
    }

    /// The typed client of a service, running here or elsewhere.
    pub fn client<C: TypedClient>(&self) -> C {
        C::from_client(ServiceClient::remote(self.rpc.clone(), C::SERVICE.into(), ClientOptions::default()))
    }

    /// A client that calls any service by name.
    pub fn proxy(&self) -> ServiceProxy {
        ServiceProxy::new(self.rpc.clone(), None)
    }

    /// What sends events in the name of this program.
    pub fn events(&self) -> EventDispatcher {
        EventDispatcher::new(self.process.sender.clone())
    }

    /// What publishes to exchanges and queues in the name of this program.
    pub fn publisher(&self) -> Publisher {
        Publisher::new(self.process.sender.clone())
    }

    /// The dead letters of the broker, with the queues of these services.
    pub fn dead_letters(&self) -> DeadLetters {
        let known = || {
            let services = self.containers.iter().map(|container| container.descriptor()).collect();
            DeadLetters::new(self.transport.clone(), self.process.sender.clone(), services)
        };
        self.dead_letters.get_or_init(known).clone()
    }

    /// Where each service takes requests that come by no broker.
    #[cfg(feature = "testing")]
    pub(crate) fn direct(&self) -> impl Iterator<Item = (&'static str, Arc<dyn crate::transport::DeliverySink>)> {
        self.containers.iter().filter_map(|container| Some((container.name(), container.direct()?)))
    }

    #[cfg(feature = "testing")]
    pub(crate) fn client_settings(&self) -> &crate::client::ClientSettings {
        &self.rpc.settings
    }

    /// The state of the connection to the broker.
    pub fn broker_state(&self) -> ConnectionState {
        self.transport.state().borrow().clone()
    }

    /// Whether the services take requests at the moment, and why not.
    ///
    /// ```
    /// # use kinoko::{App, prelude::*};
    /// # #[derive(Dependencies)] struct Adder;
    /// # #[service(name = "adder")] impl Adder { #[rpc] fn add(&self, a: u32, b: u32) -> u32 { a + b } }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
    /// # let app = App::new().service::<Adder>().start().await?;
    /// let readiness = app.readiness();
    /// assert!(readiness.is_ready(), "{readiness}");
    /// # app.stop().await }
    /// ```
    pub fn readiness(&self) -> Readiness {
        self.pulse.readiness()
    }

    /// How many workers run at the moment.
    pub fn running_workers(&self) -> usize {
        self.containers.iter().map(|container| container.running()).sum()
    }

    /// How many calls of this program wait for a reply.
    pub fn pending_calls(&self) -> usize {
        self.rpc.pending()
    }

    /// Stops: takes no more requests or connections, hands back what has not started, finishes what runs (up to the setting `grace_period`),
    /// sends the replies, stops the dependencies, closes the connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Internal`] when the grace period was over first and workers had to be dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, what is left ends without order, as in a crash.
    pub async fn stop(self) -> Result<()> {
        self.pulse.set(Phase::Stopping);
        #[cfg(feature = "http")]
        self.doors.drain();
        // All at once: services that call each other finish each other's work.
        let drained = join_all(self.containers.iter().map(|container| container.drain(self.grace)));
        #[cfg(feature = "http")]
        let (drained, ()) = futures_util::join!(drained, self.doors.drained(self.grace));
        #[cfg(not(feature = "http"))]
        let drained = drained.await;
        let late: usize = drained.iter().sum();
        #[cfg(feature = "http")]
        self.doors.close_http().await;
        for scope in self.scopes.iter().rev() {
            scope.registry.stop().await;
        }
        self.process.registry.stop().await;
        self.transport.close().await;
        #[cfg(feature = "http")]
        self.doors.close_ops().await;
        if late > 0 {
            let text = format!(
                "{late} workers were dropped: they had not finished within the grace period of {:?}",
                self.grace
            );
            return Err(Error::new(ErrorKind::Internal, text));
        }
        Ok(())
    }
}

impl Drop for RunningApp {
    fn drop(&mut self) {
        // A service with a client holds the transport, which holds the service: it would go on without anybody. After a stop all this
        // is done already; the first look at a close begins it, and what the broker has to say to it nobody waits for.
        for container in &self.containers {
            container.abandon();
        }
        let _ = self.transport.close().now_or_never();
    }
}

impl fmt::Debug for RunningApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<_> = self.containers.iter().map(|container| container.name()).collect();
        f.debug_struct("RunningApp")
            .field("services", &services)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

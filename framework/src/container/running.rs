use std::{
    any::Any,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};

use super::{gateway::Gateway, program::Program, readiness::Readiness};
use crate::{
    Error, ErrorKind, Result,
    client::{RpcClient, ServiceClient, ServiceProxy, TypedClient},
    dead_letter::DeadLetters,
    dependency::{ContainerScope, ProcessScope},
    event::{EventDispatcher, Publisher},
    transport::{ConnectionState, Transport},
};

/// How long the last spans may take to leave.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

/// Services that run. Dropped without [`stop`](Self::stop), they end without order, as in a crash.
#[must_use = "the services end when this is dropped"]
pub struct RunningApp {
    pub(super) program: Program,
    pub(super) scopes: Vec<Arc<ContainerScope>>,
    pub(super) gateways: Vec<Arc<dyn Gateway>>,
    grace: Duration,
    dead_letters: OnceLock<DeadLetters>,
}

impl RunningApp {
    pub(super) fn new(
        transport: Arc<dyn Transport>,
        rpc: Arc<RpcClient>,
        process: Arc<ProcessScope>,
        gateways: Vec<Arc<dyn Gateway>>,
        grace: Duration,
    ) -> Self {
        let program = Program { containers: Vec::new(), transport, rpc, process };
        Self { program, scopes: Vec::new(), gateways, grace, dead_letters: OnceLock::new() }
    }

    /// The typed client of a service, running here or elsewhere.
    pub fn client<C: TypedClient>(&self) -> C {
        C::from_client(ServiceClient::remote(self.program.rpc.clone(), C::SERVICE.into(), None))
    }

    /// A client that calls any service by name.
    pub fn proxy(&self) -> ServiceProxy {
        self.program.proxy()
    }

    /// What sends events in the name of this program.
    pub fn events(&self) -> EventDispatcher {
        self.program.events()
    }

    /// What publishes to exchanges and queues in the name of this program.
    pub fn publisher(&self) -> Publisher {
        self.program.publisher()
    }

    /// The dead letters of the broker, with the queues of these services.
    pub fn dead_letters(&self) -> DeadLetters {
        self.dead_letters.get_or_init(|| self.program.dead_letters()).clone()
    }

    /// Where each service takes requests that come by no broker.
    #[cfg(feature = "testing")]
    pub(crate) fn direct(&self) -> impl Iterator<Item = (&'static str, Arc<dyn crate::transport::DeliverySink>)> {
        self.program.containers.iter().filter_map(|container| Some((container.name(), container.direct()?)))
    }

    /// The dependencies of this type, one of each service that has one.
    #[cfg(all(feature = "jwt", feature = "testing"))]
    pub(crate) fn dependencies<T: crate::Dependency>(&self) -> Vec<T> {
        self.scopes.iter().filter_map(|scope| scope.registry.ready()).collect()
    }

    /// The one of a service.
    #[cfg(all(feature = "jwt", feature = "testing"))]
    pub(crate) fn dependency_of<T: crate::Dependency>(&self, service: &str) -> Option<T> {
        self.scopes.iter().find(|scope| scope.service == service)?.registry.ready()
    }

    /// The gateway of this type.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only what a feature adds asks for its own"))]
    pub(crate) fn gateway<G: Gateway>(&self) -> Option<&G> {
        self.gateways.iter().find_map(|gateway| (&**gateway as &dyn Any).downcast_ref())
    }

    #[cfg(feature = "testing")]
    pub(crate) fn client_settings(&self) -> &crate::client::ClientSettings {
        &self.program.rpc.settings
    }

    /// The state of the connection to the broker.
    pub fn broker_state(&self) -> ConnectionState {
        self.program.transport.state().borrow().clone()
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
        self.program.readiness()
    }

    /// How many workers run at the moment.
    pub fn running_workers(&self) -> usize {
        self.program.containers.iter().map(|container| container.running()).sum()
    }

    /// How many calls of this program wait for a reply.
    pub fn pending_calls(&self) -> usize {
        self.program.rpc.pending()
    }

    /// Stops: takes no more requests, hands back what has not started, finishes what runs (up to the setting `grace_period`),
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
        // The other way round than they opened: whoever tells others of a port does it before the port is shut.
        for gateway in self.gateways.iter().rev() {
            gateway.stop_taking().await;
        }
        let Program { containers, transport, process, .. } = &self.program;
        // All at once: services that call each other finish each other's work.
        let drained = join_all(containers.iter().map(|container| container.drain(self.grace)));
        let passed = join_all(self.gateways.iter().map(|gateway| gateway.drain(self.grace)));
        let late: usize = futures_util::join!(drained, passed).0.iter().sum();
        for gateway in self.gateways.iter().rev() {
            gateway.close().await;
        }
        for scope in self.scopes.iter().rev() {
            scope.registry.stop().await;
        }
        process.registry.stop().await;
        transport.close().await;
        // A collector that does not answer must not keep the program from its end.
        let flushed = process.observer.tracer().flush();
        if tokio::time::timeout(FLUSH_LIMIT, flushed).await.is_err() {
            tracing::warn!("the last spans were not taken by their collector in time");
        }
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
        for container in &self.program.containers {
            container.abandon();
        }
        let _ = self.program.transport.close().now_or_never();
    }
}

impl fmt::Debug for RunningApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services: Vec<_> = self.program.containers.iter().map(|container| container.name()).collect();
        f.debug_struct("RunningApp")
            .field("services", &services)
            .field("transport", &self.program.transport)
            .finish_non_exhaustive()
    }
}

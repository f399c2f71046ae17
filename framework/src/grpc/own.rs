//! The program's own gRPC server, as its clients see it: what a program serves itself it need not look for.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

#[cfg(feature = "testing")]
use crate::server::Connect;
use crate::{
    Error, ErrorKind, Result,
    dependency::{Dependency, Scope, SetupContext},
};

/// What all clients of a program share.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnServer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// The services that somebody calls and nobody says where they are, with what to do about it.
    wanted: Mutex<Vec<(&'static str, String)>>,
    place: OnceLock<OwnPlace>,
}

/// Where the program's own server is.
#[derive(Clone)]
pub(super) enum OwnPlace {
    /// With or without TLS.
    At(SocketAddr, bool),
    #[cfg(feature = "testing")]
    InMemory(Connect),
}

impl OwnPlace {
    pub(super) fn url(&self) -> String {
        match self {
            Self::At(address, is_tls) => format!("{}://{address}", if *is_tls { "https" } else { "http" }),
            #[cfg(feature = "testing")]
            Self::InMemory(_) => "http://in.memory".to_owned(),
        }
    }
}

impl std::fmt::Debug for OwnPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At(address, _) => f.debug_tuple("At").field(address).finish(),
            #[cfg(feature = "testing")]
            Self::InMemory(_) => f.write_str("InMemory"),
        }
    }
}

impl OwnServer {
    fn wanted(&self) -> MutexGuard<'_, Vec<(&'static str, String)>> {
        self.0.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client calls this service, and nothing says where it is. `why`: the text of the error, if the program does not serve it itself.
    pub(super) fn want(&self, service: &'static str, why: String) {
        self.wanted().push((service, why));
    }

    /// Whether all that is wanted is served.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] where something is not.
    pub(super) fn check(&self, served: &[&str]) -> Result<()> {
        match self.wanted().iter().find(|(service, _)| !served.contains(service)) {
            Some((service, why)) => Err(Error::new(
                ErrorKind::Config,
                format!("a client calls `{service}`, which this program does not serve: {why}"),
            )),
            None => Ok(()),
        }
    }

    /// It takes calls from now on.
    pub(super) fn opened(&self, place: OwnPlace) {
        // It opens once.
        let _ = self.0.place.set(place);
    }

    pub(super) fn place(&self) -> Option<&OwnPlace> {
        self.0.place.get()
    }
}

impl Dependency for OwnServer {
    type Options = ();

    const SCOPE: Scope = Scope::Process;

    async fn setup(_: &SetupContext, (): ()) -> Result<Self> {
        Ok(Self::default())
    }
}

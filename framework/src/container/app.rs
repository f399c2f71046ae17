//! A program of services: which ones, with what settings; and running them until a signal comes.

use std::{collections::BTreeMap, fmt, future::Future, sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use super::{
    Extensions, Launch, Registration, RunningApp,
    container::{Container, ContainerSettings},
    selection::select,
    signals::Signals,
};
use crate::{
    Error, ErrorKind, Result,
    client::{ClientSettings, RpcClient},
    codec::{Codec, Codecs},
    config::{SettingInfo, Settings, without_passwords},
    dependency::{ContainerScope, ProcessScope, Registry},
    entrypoint::{MessageSettings, RpcSettings},
    event::{Sender, SenderSettings},
    observe::{Observer, ObserverSettings, SpanSink},
    protocol::Value,
    resilience::Policies,
    service::{IdempotencyInfo, Service},
    task::Tasks,
    transport::{ConnectionState, Transport, TransportOptions, connect},
};

/// Runs every `#[service]` that is linked into this program, until SIGTERM or SIGINT. For one-file programs.
///
/// Services of a *library* that the program does not otherwise name are lost by the linker, silently; such programs list theirs:
/// `App::new().service::<Orders>().run()`.
///
/// # Errors
///
/// As [`App::run`]; [`ErrorKind::Usage`] where no service is linked.
///
/// # Cancel safety
///
/// As [`App::run`].
pub async fn run() -> Result<()> {
    App::linked().run().await
}

/// A program of services.
///
/// # Examples
///
/// ```
/// use kinoko::{App, prelude::*};
///
/// #[derive(Dependencies)]
/// struct Greeting;
///
/// #[service(name = "greeting")]
/// impl Greeting {
///     #[rpc]
///     fn hello(&self, name: &str) -> String {
///         format!("Hello, {name}!")
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let app = App::new().service::<Greeting>().start().await?;
/// assert_eq!(app.client::<GreetingClient>().hello("Ada").await?, "Hello, Ada!");
/// app.stop().await
/// # }
/// ```
#[derive(Default)]
#[must_use = "an app does nothing until it is started or run"]
pub struct App {
    pub(super) services: Vec<Registration>,
    pub(super) only: Option<Vec<String>>,
    pub(super) settings: Option<Settings>,
    pub(super) broker: Option<String>,
    codecs: Codecs,
    pub(super) linked: bool,
    #[cfg(feature = "testing")]
    rig: Option<Arc<crate::testing::Rig>>,
    known_settings: Vec<String>,
    default_settings: Vec<(String, Value)>,
    /// What it says to the features that it uses.
    pub(crate) extensions: Extensions,
    #[cfg(feature = "cli")]
    pub(super) arguments: Option<Vec<std::ffi::OsString>>,
    pub(super) version: Option<String>,
}

impl App {
    /// A program without services yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every `#[service]` that is linked into this program, in the order of their names. See [`run`] for what the linker loses.
    pub fn linked() -> Self {
        let by_name: BTreeMap<_, _> = inventory::iter::<Registration>()
            .map(|service| ((service.descriptor.name, service.module), *service))
            .collect();
        Self { services: by_name.into_values().collect(), linked: true, ..Self::default() }
    }

    /// Adds a service.
    pub fn service<S: Service>(mut self) -> Self {
        self.services.push(Registration::of::<S>("", ""));
        self
    }

    /// Runs only these of the services, by name.
    pub fn only<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.only = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// Uses these settings. [`run`](Self::run) reads the file and the environment otherwise, [`start`](Self::start) nothing.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Uses this broker, whatever the setting `amqp_uri` says.
    pub fn broker(mut self, url: impl Into<String>) -> Self {
        self.broker = Some(url.into());
        self
    }

    /// Settings that the program reads itself, or that something else reads from the same file: nobody takes them for mistakes.
    /// The key of a section stands for all that is inside it.
    pub fn known_settings<K: Into<String>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        self.known_settings.extend(keys.into_iter().map(Into::into));
        self
    }

    /// What a setting is where neither the file nor the environment nor an option says it, in the place of kinoko's own default.
    ///
    /// ```
    /// # use kinoko::{App, prelude::*};
    /// # #[derive(Dependencies)] struct Greeting;
    /// # #[service(name = "greeting")] impl Greeting { #[rpc] fn hello(&self) {} }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
    /// let app = App::new().service::<Greeting>().default_setting("max_workers", 100);
    /// # let app = app.start().await?; app.stop().await }
    /// ```
    pub fn default_setting(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.default_settings.push((key.into(), value.into()));
        self
    }

    /// Writes the program's own defaults where nothing is said. Doing it twice changes nothing.
    pub(crate) fn complete(&self, settings: &mut Settings) -> Result<()> {
        for (key, value) in &self.default_settings {
            if settings.get::<Value>(key)?.is_none() {
                settings.set(key, value.clone());
            }
        }
        Ok(())
    }

    /// Adds a codec for the content type that it names.
    pub fn codec(mut self, codec: impl Codec) -> Self {
        self.codecs.register(Arc::new(codec));
        self
    }

    /// Starts the services and returns when they take requests. For tests, and for programs that do something beside.
    ///
    /// Without [`settings`](Self::settings) it reads neither file nor environment: a test must not depend on either.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`] for no service, or a name that none has; [`ErrorKind::Config`] for wrong settings; [`ErrorKind::Setup`] for a
    /// dependency that fails; [`ErrorKind::Refused`] where the broker does not accept the credentials or the virtual host.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, it leaves nothing running but dependencies that were started and not stopped.
    pub async fn start(self) -> Result<RunningApp> {
        match self.start_unless(std::future::pending()).await? {
            Some(app) => Ok(app),
            None => unreachable!("nothing calls it off"),
        }
    }

    /// Starts, or stops what was started already when `called_off` ends first: the broker may take its time to come.
    async fn start_unless(mut self, called_off: impl Future<Output = ()>) -> Result<Option<RunningApp>> {
        let services = select(&self.services, self.only.as_deref(), self.linked)?;
        let mut settings = self.settings.take().unwrap_or_default();
        self.complete(&mut settings)?;
        let settings = Arc::new(settings);
        self.declare(&settings)?;
        for note in settings.notes() {
            tracing::info!("{note}");
        }
        // What a service that is not started reads is not all known before it is set up.
        let all = services.len() == self.services.len();
        let names: Vec<_> = services.iter().map(|service| service.descriptor.name).collect();
        let options = TransportOptions::from_settings(names.join(" "), &settings)?;
        let client_settings = ClientSettings::read(&settings, &options)?;
        let sender_settings = SenderSettings::read(&settings)?;
        let observer = Observer::new(&ObserverSettings::read(&settings)?, names[0]);
        let container_settings = container_settings(&settings, &options, client_settings.max_body_bytes)?;
        let grace = settings.duration("grace_period", Duration::from_secs(25))?;
        let url = self.broker_url(&settings)?;
        let policies = Policies::begin(&settings)?;
        self.extensions.get::<Launch>().version = self.version.clone();
        let make_gateways = crate::features::GATEWAYS.iter();
        let gateways: Vec<_> =
            make_gateways.map(|make| make(&settings, &mut self.extensions)).collect::<Result<_>>()?;

        tracing::info!(services = names.join(", "), broker = without_passwords(&url), "starting");
        let named = self.name_broker(&settings);
        let transport = connect(&url, options).await.map_err(named)?;
        let sinks = crate::features::span_sinks(&settings, self.version.as_deref(), &url)?;
        observer.tracer().send_to([observer.recent().clone() as Arc<dyn SpanSink>].into_iter().chain(sinks).collect());
        Tasks::new().spawn_detached(observer.clone().watch_connection(transport.state()));
        let codecs = Arc::new(self.codecs);
        // The reply queue is the program's; it bears the first service's name, as Nameko's bears its only one's.
        let rpc = RpcClient::new(
            transport.clone(),
            names[0],
            codecs.clone(),
            client_settings,
            &Tasks::new(),
            observer.clone(),
        );
        for name in &names {
            rpc.known.add(*name);
        }
        let process = Arc::new(ProcessScope {
            policies,
            settings,
            rpc: rpc.clone(),
            sender: Sender::shared(transport.clone(), sender_settings, observer.clone()),
            observer,
            registry: Default::default(),
            #[cfg(feature = "testing")]
            rig: self.rig,
        });
        let mut app = RunningApp::new(transport.clone(), rpc, process.clone(), gateways, grace);
        let brought_up = tokio::select! {
            result = bring_up(&mut app, &services, &process, &codecs, &container_settings, &transport, all) => result.map(|()| true),
            () = called_off => Ok(false),
        };
        match brought_up {
            Ok(true) => Ok(Some(app)),
            Ok(false) => app.stop().await.map(|()| None),
            Err(error) => {
                app.stop().await.ok();
                Err(error)
            }
        }
    }

    /// Does what the command line says: runs the services until SIGTERM or SIGINT, unless it says something else.
    ///
    /// The commands are `run`, `list`, `show-config` and `call`; `--help` tells of them. Without the feature `cli` it runs, whatever the
    /// arguments. A first signal stops gracefully, a second one ends the process at once.
    ///
    /// Reads settings from the file and the environment, and logs to standard error unless the program installed a subscriber of its own.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start); [`ErrorKind::Usage`] for arguments that make no sense, [`ErrorKind::Internal`] when workers had to be
    /// dropped at the end of the grace period, or when `call` was answered with an error.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the services end without order, as in a crash: requests that run go to another instance.
    pub async fn run(self) -> Result<()> {
        #[cfg(feature = "cli")]
        return Box::pin(crate::cli::run(self)).await;
        #[cfg(not(feature = "cli"))]
        {
            let mut app = self;
            let settings = match app.settings.take() {
                Some(settings) => settings,
                None => Settings::load()?,
            };
            app.serve(settings, String::new()).await
        }
    }

    /// Runs the services until a signal. `next` is said last of the start: where to look.
    pub(crate) async fn serve(mut self, mut settings: Settings, next: String) -> Result<()> {
        self.complete(&mut settings)?;
        crate::log::install(&settings)?;
        self.extensions.get::<Launch>().is_run = true;
        let mut signals = Signals::listen()?;
        let called_off = async {
            let signal = signals.next().await;
            tracing::info!(signal = signal.name(), "stopping before the services have started");
        };
        let Some(app) = self.settings(settings).start_unless(called_off).await? else { return Ok(()) };
        if !next.is_empty() {
            tracing::info!("{next}");
        }
        let signal = signals.next().await;
        tracing::info!(signal = signal.name(), "stopping; a second signal ends the process at once");
        tokio::select! {
            stopped = app.stop() => stopped,
            never = leave(&mut signals) => never,
        }
    }

    /// What a test changes of this program.
    #[cfg(feature = "testing")]
    pub(crate) fn rig(mut self, rig: Arc<crate::testing::Rig>) -> Self {
        self.rig = Some(rig);
        self
    }

    /// The services that it has, by name.
    #[cfg(feature = "testing")]
    pub(crate) fn service_names(&self) -> Vec<&'static str> {
        self.services.iter().map(|service| service.descriptor.name).collect()
    }

    /// The broker, as the program or the settings name it.
    pub(crate) fn broker_url(&self, settings: &Settings) -> Result<String> {
        match &self.broker {
            Some(url) => Ok(url.clone()),
            None => Ok(settings.get::<String>("amqp_uri")?.unwrap_or_else(|| "memory://".to_owned())),
        }
    }

    /// Adds to the error of a broker's URL where it was set.
    pub(crate) fn name_broker(&self, settings: &Settings) -> impl FnOnce(Error) -> Error + use<> {
        let from = match &self.broker {
            Some(_) => "the program".to_owned(),
            None => settings.origin("amqp_uri").unwrap_or_else(|| "the default".to_owned()),
        };
        move |error| match error.kind() {
            kind @ (ErrorKind::Config | ErrorKind::Refused) => {
                Error::new(kind, format!("{} (`amqp_uri` is from {from})", error.chain()))
            }
            _ => error,
        }
    }

    /// Makes known what can be known before anything is set up.
    pub(crate) fn declare(&self, settings: &Settings) -> Result<()> {
        settings.declare(crate::config::own());
        settings.declare(self.known_settings.iter().cloned().map(SettingInfo::new));
        for service in &self.services {
            settings.declare((service.settings)()?);
        }
        Ok(())
    }
}

impl fmt::Debug for App {
    /// Without the broker's password and what is secret in the settings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.services.iter().map(|service| service.descriptor.name).collect();
        f.debug_struct("App")
            .field("services", &names)
            .field("only", &self.only)
            .field("settings", &self.settings)
            .field("broker", &self.broker.as_deref().map(without_passwords))
            .finish_non_exhaustive()
    }
}

/// Ends the process at the next signal: from inside the wait, since the end of the wait drops the app, which ends its calls.
async fn leave(signals: &mut Signals) -> Result<()> {
    let signal = signals.next().await;
    tracing::error!(signal = signal.name(), "second signal: leaving without waiting for workers");
    std::process::exit(signal.exit_code())
}

async fn bring_up(
    app: &mut RunningApp,
    services: &[Registration],
    process: &Arc<ProcessScope>,
    codecs: &Arc<Codecs>,
    settings: &ContainerSettings,
    transport: &Arc<dyn Transport>,
    all: bool,
) -> Result<()> {
    for service in services {
        let (name, registry) = (service.descriptor.name, Registry::default());
        let scope = Arc::new(ContainerScope { service: name, process: process.clone(), registry });
        // Kept before anything is in it: a setup that fails, or is called off in the middle, leaves nothing running either.
        app.scopes.push(scope.clone());
        let container = Container::set_up(service, scope, codecs.clone(), settings, &app.gateways).await?;
        app.program.containers.push(Arc::new(container));
    }
    refuse_unknown(&process.settings, all)?;
    for gateway in &app.gateways {
        gateway.prepare(app.program.clone()).await?;
    }
    process.registry.start(0).await?;
    for container in &app.program.containers {
        container.start_dependencies().await?;
    }
    if matches!(&*transport.state().borrow(), ConnectionState::Connecting(_)) {
        tracing::info!(broker = transport.address(), "the services start when the broker is there");
    }
    for container in &app.program.containers {
        container.start_taking(transport).await?;
        let (service, entrypoints) = (container.name(), container.entrypoints());
        tracing::info!(service, entrypoints, broker = transport.address(), "service started");
    }
    for container in &app.program.containers {
        container.begin();
    }
    for gateway in &app.gateways {
        gateway.open().await?;
    }
    if transport.address().starts_with("memory://") {
        tracing::info!("the broker is in this process: set KINOKO_AMQP_URI to use RabbitMQ");
    }
    Ok(())
}

/// A setting that nobody reads is a mistake: its writer believes that it does something.
fn refuse_unknown(settings: &Settings, all: bool) -> Result<()> {
    let unknown = settings.unknown();
    if unknown.is_empty() {
        return Ok(());
    }
    if all {
        let hint = " (correct or remove it, or name it in `App::known_settings` if something else reads it)";
        return Err(Error::new(ErrorKind::Config, format!("{}{hint}", unknown.join("; "))));
    }
    for text in unknown {
        tracing::warn!("{text}, as far as the services that are started tell");
    }
    Ok(())
}

fn container_settings(
    settings: &Settings,
    options: &TransportOptions,
    max_body_bytes: usize,
) -> Result<ContainerSettings> {
    let max_workers = settings.get("max_workers")?.unwrap_or(256);
    if max_workers == 0 {
        return Err(settings.refuse("max_workers", "0 would never run anything; the least is 1"));
    }
    if max_workers > Semaphore::MAX_PERMITS {
        let text = format!("{max_workers} is too many; the most is {}", Semaphore::MAX_PERMITS);
        return Err(settings.refuse("max_workers", text));
    }
    let nameko_wire = match settings.get::<String>("wire")?.as_deref() {
        None | Some("kinoko") => false,
        Some("nameko") => true,
        Some(other) => {
            return Err(settings.refuse("wire", format!("`{other}` is neither `kinoko` nor `nameko`")));
        }
    };
    let rpc = RpcSettings { nameko_wire, rpc_exchange: options.rpc_exchange.clone(), max_body_bytes };
    let idempotency_window = settings.duration("idempotency.window", IdempotencyInfo::WINDOW)?;
    let messages = MessageSettings { nameko_wire, max_body_bytes, idempotency_window };
    let shed_late = settings.get("shed_late")?.unwrap_or(true);
    Ok(ContainerSettings { max_workers, shed_late, rpc, messages })
}

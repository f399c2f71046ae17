use std::{fmt, ops::Deref, sync::Arc};

use jiff::Timestamp;

use super::{Hook, Rig, Waiter, direct::Sinks};
use crate::{
    App, Dependency, Error, ErrorKind, Result, RunningApp, Settings, client::ClientSettings, codec::Codec,
    entrypoint::Clock, protocol::names, service::Service,
};

/// A program of services under test: an [`App`] that a test may meddle with.
///
/// It runs on a broker of its own in memory, whatever the settings say, and reads neither file nor environment, so tests run at once
/// and alone.
///
/// # Examples
///
/// ```
/// use kinoko::{prelude::*, testing::TestApp};
///
/// #[contract(name = "stock")]
/// trait Stock {
///     async fn left(&self, sku: String) -> u32;
/// }
///
/// #[derive(Dependencies)]
/// struct Orders {
///     stock: StockClient,
///     #[dependency(key = "orders.most", default = 10)]
///     most: Config<u32>,
/// }
///
/// #[service(name = "orders")]
/// impl Orders {
///     #[rpc]
///     async fn can_order(&self, sku: String) -> kinoko::Result<u32> {
///         Ok(self.stock.left(sku).await?.min(*self.most))
///     }
/// }
///
/// struct Full;
///
/// impl Stock for Full {
///     async fn left(&self, _sku: String) -> u32 {
///         1_000
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
/// let app = TestApp::new()
///     .service::<Orders>()
///     .yaml("orders: {most: 3}")
///     .replace(StockClient::from_service(Full))
///     .start()
///     .await?;
/// assert_eq!(app.client::<OrdersClient>().can_order("TEAPOT".into()).await?, 3);
/// # app.stop().await }
/// ```
#[must_use = "an app does nothing until it is started"]
pub struct TestApp {
    app: App,
    broker: String,
    rig: Rig,
    /// What time it is at the start, if the test says.
    at: Option<Timestamp>,
    /// Settings that are no YAML, or a time that is none.
    broken: Option<Error>,
}

impl Default for TestApp {
    fn default() -> Self {
        Self::of(App::new())
    }
}

impl TestApp {
    /// A program without services yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A program that is built elsewhere, such as by the function that `main` calls. Its broker is not used.
    pub fn of(app: App) -> Self {
        Self { app, broker: "memory://".to_owned(), rig: Rig::default(), at: None, broken: None }
    }

    fn map(mut self, change: impl FnOnce(App) -> App) -> Self {
        self.app = change(self.app);
        self
    }

    /// Adds a service.
    pub fn service<S: Service>(self) -> Self {
        self.map(App::service::<S>)
    }

    /// Uses these settings. Default: none are set.
    pub fn settings(self, settings: Settings) -> Self {
        self.map(|app| app.settings(settings))
    }

    /// Uses these settings, as they would stand in the file, in the place of any before. What is no YAML shows at the start.
    pub fn yaml(self, settings: &str) -> Self {
        match Settings::from_yaml(settings) {
            Ok(settings) => self.settings(settings),
            Err(error) => Self { broken: Some(error), ..self },
        }
    }

    /// Adds a codec for the content type that it names.
    pub fn codec(self, codec: impl Codec) -> Self {
        self.map(|app| app.codec(codec))
    }

    /// Uses this broker: a real one by `amqp://…`, or one in memory that programs of one test share, `memory://its-name`.
    pub fn broker(mut self, url: impl Into<String>) -> Self {
        self.broker = url.into();
        self
    }

    /// Uses this database where the settings name none, in the place of any URL in the code: as if it was the setting `database.url`.
    ///
    /// Without one, each URL in the code has a file of its own, which is thrown away when the test has stopped the program.
    #[cfg(feature = "sql")]
    pub fn database(mut self, database: &super::TestDatabase) -> Self {
        self.rig.databases.given = Some(database.url().to_owned());
        self
    }

    /// Puts an instance in the place of every dependency of its type: fields of the services, and what providers
    /// [`require`](crate::SetupContext::require). Nameko's `replace_dependencies`.
    ///
    /// The `setup`, `start` and `stop` of the type do not run: who made the instance looks after it. Its worker hooks do.
    /// A typed client is replaced by one that is made of a fake: `InventoryClient::from_service(fake)`.
    /// Options of `#[dependency(…)]` say how to set a field up, so they mean nothing to a replacement.
    /// A later replacement of the same type takes the place of an earlier one; one that replaces nothing ends the start.
    pub fn replace<T: Dependency>(mut self, instance: T) -> Self {
        self.rig.replaced.add(None, instance);
        self
    }

    /// The same for one service alone, by its name.
    pub fn replace_in<T: Dependency>(mut self, service: impl Into<String>, instance: T) -> Self {
        self.rig.replaced.add(Some(service.into()), instance);
        self
    }

    /// Leaves only these entrypoints of a service: the others answer as methods that it does not have. Nameko's `restrict_entrypoints`.
    ///
    /// Names are those on the wire. `[]` leaves none, and then nobody answers calls to the service.
    pub fn only_entrypoints<'a>(
        mut self,
        service: impl Into<String>,
        entrypoints: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let (service, names) = (service.into(), entrypoints.into_iter().map(str::to_owned).collect());
        self.rig.only.retain(|(other, _)| *other != service);
        self.rig.only.push((service, names));
        self
    }

    /// What time it is by the calendar when the services start, such as `2026-03-29T00:59:30Z`, for timers with a `cron` expression.
    /// Default: the system's.
    ///
    /// From then on that time moves with tokio's clock: where a test pauses it, days pass at once when there is nothing else to do.
    /// What is no time shows at the start.
    pub fn at(self, time: &str) -> Self {
        match time.parse() {
            Ok(at) => Self { at: Some(at), ..self },
            Err(error) => Self { broken: Some(Error::new(ErrorKind::Usage, format!("`at`: {error}"))), ..self },
        }
    }

    /// Starts the services and returns when they take requests.
    ///
    /// # Errors
    ///
    /// As [`App::start`]; [`ErrorKind::Usage`](crate::ErrorKind::Usage) for a replacement that replaces nothing, and for the name of
    /// a service or an entrypoint that is not there.
    ///
    /// # Cancel safety
    ///
    /// As [`App::start`].
    pub async fn start(mut self) -> Result<RunningTestApp> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        self.rig.clock = Clock::test(self.at.unwrap_or_else(Timestamp::now));
        self.rig.check_names(&self.app.service_names())?;
        let rig = Arc::new(self.rig);
        let app = self.app.broker(self.broker).rig(rig.clone()).start().await?;
        if let Err(error) = rig.replaced.check() {
            app.stop().await.ok();
            return Err(error);
        }
        let client_settings = app.client_settings().clone();
        let sinks = app.direct().map(|(service, sink)| (names::short_queue(service), sink)).collect();
        Ok(RunningTestApp { app, rig, sinks: Arc::new(sinks), client_settings })
    }
}

impl fmt::Debug for TestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestApp").field("app", &self.app).field("broker", &self.broker).finish_non_exhaustive()
    }
}

/// Services under test that run. It is a [`RunningApp`], with a hook and waiters.
#[must_use = "the services end when this is dropped"]
pub struct RunningTestApp {
    app: RunningApp,
    rig: Arc<Rig>,
    sinks: Sinks,
    client_settings: ClientSettings,
}

impl RunningTestApp {
    /// Calls entrypoints of these services directly, as a caller that the test describes.
    pub fn hook(&self) -> Hook {
        let services = self.rig.services().iter().map(|service| service.name).collect();
        Hook::new(self.sinks.clone(), services, self.client_settings.clone())
    }

    /// A token that these services take, with these claims, signed as the first `Jwt` of them that can sign would sign it.
    ///
    /// `exp`, `iat`, `jti`, `iss` and `aud` are added where they are not there. [`RunningTestApp::jwt`] has all the rest.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) where no service has a [`Jwt`](crate::auth::Jwt); as
    /// [`Issue::sign`](crate::auth::Issue::sign).
    #[cfg(feature = "jwt")]
    pub fn token<T: serde::Serialize + ?Sized>(&self, claims: &T) -> Result<String> {
        let mut all = self.app.dependencies::<crate::auth::Jwt>();
        let signing = all.iter().position(crate::auth::Jwt::signs).unwrap_or_default();
        if all.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "none of these services has a field of type `Jwt`"));
        }
        all.swap_remove(signing).issue(claims).sign()
    }

    /// The `Jwt` of a service, to issue tokens with. `None`: it has none, or does not run here.
    #[cfg(feature = "jwt")]
    pub fn jwt(&self, service: &str) -> Option<crate::auth::Jwt> {
        self.app.dependency_of(service)
    }

    /// Sends HTTP requests to these services, with no socket.
    #[cfg(feature = "http")]
    pub fn http(&self) -> super::HttpClient {
        let gateway = self.app.gateway::<crate::http::HttpGateway>();
        super::HttpClient::new(gateway.map(crate::http::HttpGateway::routers).unwrap_or_default())
    }

    /// Connects a websocket to these services, with no socket of the system.
    #[cfg(feature = "http")]
    pub fn websocket(&self, path: &str) -> super::WebSocketCall {
        let gateway = self.app.gateway::<crate::http::HttpGateway>();
        super::WebSocketCall::new(gateway.map(crate::http::HttpGateway::routers).unwrap_or_default(), path)
    }

    /// A client of a service in a `.proto` file that these services serve, with no socket: through the same server as a real one.
    #[cfg(feature = "grpc")]
    pub fn grpc<S: crate::grpc::ProtoService>(&self) -> Result<crate::grpc::GrpcClient<S>> {
        let gateway = self.app.gateway::<crate::grpc::GrpcGateway>();
        crate::grpc::GrpcClient::of_own(gateway.map(crate::grpc::GrpcGateway::own).unwrap_or_default())
    }

    /// Waits until an entrypoint of these services has fired: made before what fires it, awaited afterwards.
    ///
    /// ```
    /// # use kinoko::{prelude::*, testing::TestApp};
    /// # #[derive(Dependencies)] struct Mails;
    /// # #[service(name = "mails")] impl Mails {
    /// #     #[rpc] fn welcome(&self, to: String) -> kinoko::Result<()> { Err(kinoko::Error::msg(format!("no such box: {to}"))) }
    /// # }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
    /// # let app = TestApp::new().service::<Mails>().start().await?;
    /// let welcome = app.waiter("mails", "welcome").when(|fired| fired.argument("to").unwrap() == "ada");
    /// app.client::<MailsClient>().welcome("ada".into()).await.ok();
    /// let fired = welcome.await?;
    /// assert_eq!(fired.to_string(), "mails.welcome failed: InternalError: no such box: ada");
    /// # app.stop().await }
    /// ```
    pub fn waiter(&self, service: &str, entrypoint: &str) -> Waiter {
        Waiter::new(&self.rig, service, entrypoint)
    }

    /// Stops, as [`RunningApp::stop`].
    ///
    /// # Errors
    ///
    /// As [`RunningApp::stop`].
    ///
    /// # Cancel safety
    ///
    /// As [`RunningApp::stop`].
    pub async fn stop(self) -> Result<()> {
        self.app.stop().await
    }
}

impl Deref for RunningTestApp {
    type Target = RunningApp;
    fn deref(&self) -> &RunningApp {
        &self.app
    }
}

impl fmt::Debug for RunningTestApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningTestApp").field("app", &self.app).finish_non_exhaustive()
    }
}

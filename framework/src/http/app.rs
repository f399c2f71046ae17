//! What a program may add to its HTTP server, and where it finds it.

use std::{convert::Infallible, net::SocketAddr, path::PathBuf};

use axum::{Router, extract::Request, response::IntoResponse, routing::Route};
use tower::{Layer, Service};

use super::{HttpGateway, site::Site};
use crate::container::{App, RunningApp};

impl App {
    /// Serves a router of your own at a path and below it, beside the routes of the services.
    ///
    /// The router sees paths without the part that it is mounted at. Its requests have the limits of all others (`http.timeout`,
    /// `http.body_timeout`, `http.max_body_bytes`); they run no worker, so they have no context and no dependencies.
    /// At `/` it takes every request that no route takes. The start fails where a service has a route below `path`.
    ///
    /// # Examples
    ///
    /// ```
    /// use kinoko::http::axum::{Router, routing::get};
    /// use kinoko::prelude::*;
    ///
    /// # #[derive(Dependencies)] struct Orders;
    /// # #[service(name = "orders")] impl Orders { #[rpc] fn count(&self) -> u32 { 0 } }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
    /// let mut settings = Settings::default();
    /// // Any port that is free.
    /// settings.set("http.address", "127.0.0.1:0");
    /// let admin = Router::new().route("/version", get(|| async { "1.0" }));
    /// let app = App::new().service::<Orders>().mount("/admin", admin).settings(settings).start().await?;
    /// println!("http://{}/admin/version", app.http_address().unwrap());
    /// # app.stop().await }
    /// ```
    pub fn mount(mut self, path: impl Into<String>, router: Router) -> Self {
        self.extensions.get::<Site>().router(path.into(), router);
        self
    }

    /// Serves the files of a folder at a path and below it; a folder's `index.html` for the folder itself.
    ///
    /// With `Last-Modified`, `ETag` and ranges. Paths that lead out of the folder, or through a name that begins with a dot (but
    /// `.well-known`), are not found; symbolic links are followed. A relative folder begins at the working directory; the start fails
    /// where it is missing.
    pub fn static_files(mut self, path: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        self.extensions.get::<Site>().files(path.into(), folder.into(), false);
        self
    }

    /// The same for a page that finds its way by itself: what is no file gets the folder's `index.html`.
    pub fn single_page(mut self, path: impl Into<String>, folder: impl Into<PathBuf>) -> Self {
        self.extensions.get::<Site>().files(path.into(), folder.into(), true);
        self
    }

    /// Puts a tower layer around every request of the HTTP server, what is mounted included. A later one goes around an earlier one.
    ///
    /// It stands inside of CORS and compression.
    pub fn layer_http<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.extensions.get::<Site>().layer(|router| router.layer(layer));
        self
    }
}

impl RunningApp {
    /// Where the HTTP server listens: the setting `http.address`, with the port that port 0 became. `None` where there is nothing to serve.
    pub fn http_address(&self) -> Option<SocketAddr> {
        self.gateway::<HttpGateway>()?.http_address()
    }

    /// Where the operations endpoints are. `None` where there are none: under [`App::start`] unless the setting `ops.address` asks for them.
    pub fn ops_address(&self) -> Option<SocketAddr> {
        self.gateway::<HttpGateway>()?.ops_address()
    }
}

//! What the command line asks of an [`App`].

use std::ffi::OsString;

use super::App;
use crate::config::Settings;

impl App {
    /// Takes these arguments in place of the process' own, without the program's name: for tests, and for programs that have
    /// arguments themselves.
    ///
    /// # Examples
    ///
    /// ```
    /// use kinoko::prelude::*;
    /// # #[derive(Dependencies)] struct Greeting;
    /// # #[service(name = "greeting")]
    /// # impl Greeting { #[rpc] fn hello(&self, name: &str) -> String { format!("Hello, {name}!") } }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
    /// // Prints "Hello, Ada!".
    /// App::new().service::<Greeting>().arguments(["call", "greeting.hello", "Ada"]).run().await
    /// # }
    /// ```
    pub fn arguments<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments = Some(arguments.into_iter().map(Into::into).collect());
        self
    }

    pub(crate) fn take_arguments(&mut self) -> Option<Vec<OsString>> {
        self.arguments.take()
    }

    pub(crate) fn take_settings(&mut self) -> Option<Settings> {
        self.settings.take()
    }

    /// The settings name the broker from now on.
    pub(crate) fn forget_broker(&mut self) {
        self.broker = None;
    }
}

//! Running services in a test: in memory, with what they need replaced, with their entrypoints in the test's hand.
//!
//! Behind the feature `testing`, which belongs into `[dev-dependencies]`: a release build has none of it.
//!
//! ```toml
//! [dev-dependencies]
//! kinoko = { version = "…", features = ["testing"] }
//! ```
//!
//! A unit test needs nothing of it: a service is a struct, and a test builds it with fakes. What is here is for everything larger:
//!
//! | to | write | in Nameko |
//! | --- | --- | --- |
//! | run services on a broker of their own in memory | [`TestApp`] | `container_factory`, `runner_factory` |
//! | call a running service without a broker, as a caller of your making | [`RunningTestApp::hook`] | `entrypoint_hook` |
//! | wait until an entrypoint has fired and its worker is over | [`RunningTestApp::waiter`] | `entrypoint_waiter` |
//! | put something else in the place of a dependency | [`TestApp::replace`] | `replace_dependencies` |
//! | a token for calls of guarded methods | `RunningTestApp::token` (feature `jwt`) | |
//! | a database that is thrown away at the end | `TestDatabase` (feature `sql`) | |
//! | leave only some entrypoints of a service | [`TestApp::only_entrypoints`] | `restrict_entrypoints` |
//!
//! # The clock
//!
//! All of it works with a paused clock, `#[tokio::test(start_paused = true)]` (tokio's feature `test-util`): nothing in memory waits
//! for the outside, so a deadline of 30 s passes at once when there is nothing else to do. On a real broker leave the clock alone:
//! it would jump while an answer is on its way. The same goes for databases, SQLite's too.
//!
//! # Examples
//!
//! ```
//! use kinoko::{Language, prelude::*, testing::TestApp};
//!
//! #[derive(Dependencies)]
//! struct Greeting;
//!
//! #[service(name = "greeting")]
//! impl Greeting {
//!     #[rpc]
//!     fn hello(&self, #[inject] Language(language): Language, name: String) -> String {
//!         if language == "de" { format!("Hallo {name}") } else { format!("Hello {name}") }
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> kinoko::Result<()> {
//! let app = TestApp::new().service::<Greeting>().start().await?;
//! let fired = app.waiter("greeting", "hello");
//!
//! let greeting = app.hook().language("de").client::<GreetingClient>();
//! assert_eq!(greeting.hello("Ada".into()).await?, "Hallo Ada");
//!
//! let fired = fired.await?;
//! assert_eq!(fired.argument("name").unwrap(), "Ada");
//! assert_eq!(fired.returned::<String>()?, "Hallo Ada");
//! # app.stop().await }
//! ```

mod app;
#[cfg(feature = "sql")]
mod database;
mod direct;
mod fired;
mod hook;
#[cfg(feature = "http")]
mod http;
mod replaced;
mod rig;
#[cfg(feature = "saga")]
mod saga;
mod waiter;
mod watch;
#[cfg(feature = "http")]
mod websocket;

#[cfg(feature = "sql")]
pub use self::database::TestDatabase;
pub(crate) use self::rig::Rig;
#[cfg(feature = "saga")]
pub use self::saga::{SagaMatrix, saga};
pub use self::{
    app::{RunningTestApp, TestApp},
    fired::Fired,
    hook::Hook,
    waiter::{Waiter, Waiters},
};
#[cfg(feature = "http")]
pub use self::{
    http::{HttpAnswer, HttpCall, HttpClient},
    websocket::{WebSocketCall, WebSocketClient, WebSocketClose},
};

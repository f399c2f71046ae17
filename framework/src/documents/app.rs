//! The documents of a program that does not run.

use super::{Info, asyncapi};
use crate::{App, Result, protocol::Value};

impl App {
    /// The OpenAPI 3.1 document of the services' routes, as `/openapi.json` has it: to check it in, or to make clients from.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Usage`](crate::ErrorKind::Usage) for no service, or a name that none has.
    ///
    /// # Examples
    ///
    /// ```
    /// use kinoko::prelude::*;
    /// # #[derive(Dependencies)] struct Greeting;
    /// # #[service(name = "greeting")]
    /// # impl Greeting { #[rpc] fn hello(&self, name: &str) -> String { format!("Hello, {name}!") } }
    /// let document = App::new().service::<Greeting>().version("1.2.0").openapi()?;
    /// assert_eq!(document["openapi"], "3.1.0");
    /// assert_eq!(document["info"]["version"], "1.2.0");
    /// # kinoko::Result::<()>::Ok(())
    /// ```
    #[cfg(feature = "http")]
    pub fn openapi(&self) -> Result<Value> {
        let services = self.named(&[])?;
        Ok(super::openapi(&self.info()?, &services))
    }

    /// The AsyncAPI 3.0 document of the services' RPC, events and queues, as `/asyncapi.json` has it.
    ///
    /// # Errors
    ///
    /// As [`openapi`](Self::openapi).
    ///
    /// # Examples
    ///
    /// ```
    /// use kinoko::prelude::*;
    /// # #[derive(Dependencies)] struct Greeting;
    /// # #[service(name = "greeting")]
    /// # impl Greeting { #[rpc] fn hello(&self, name: &str) -> String { format!("Hello, {name}!") } }
    /// let document = App::new().service::<Greeting>().asyncapi()?;
    /// assert_eq!(document["channels"]["rpc.greeting.hello"]["address"], "greeting.hello");
    /// # kinoko::Result::<()>::Ok(())
    /// ```
    pub fn asyncapi(&self) -> Result<Value> {
        let services = self.named(&[])?;
        Ok(asyncapi(&self.info()?, &services))
    }

    fn info(&self) -> Result<Info> {
        let settings = self.own_settings().cloned().unwrap_or_default();
        Info::new(&self.named(&[])?, self.program_version(), &settings)
    }
}

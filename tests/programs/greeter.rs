//! A service with settings, defaults, errors and secrets, for the tests of the command line.

use kinoko::prelude::*;

#[derive(Debug, thiserror::Error, ServiceError)]
enum GreetingError {
    #[error("{name} is not here, {left} are")]
    #[fault(code = "ABSENT", retry = false, path = "greeter.exceptions.Absent")]
    Absent { name: String, left: u32 },
}

#[derive(Dependencies)]
struct Greeter {
    #[dependency(key = "greeter.word", default = "Hello")]
    word: Config<String>,
    #[dependency(key = "greeter.api_key", default = "none")]
    api_key: Config<String>,
    #[dependency(key = "greeter.pin", default = 0, secret)]
    pin: Config<u64>,
}

/// Greets people.
///
/// In more than one line.
#[service(name = "program_greeter")]
impl Greeter {
    /// Greets somebody by name.
    #[rpc(sensitive(password))]
    fn greet(&self, name: String, #[default(1)] times: usize, password: Option<String>) -> String {
        kinoko::tracing::info!(config = ?(&self.api_key, &self.pin), password = password.is_some(), "greeting");
        vec![format!("{}, {name}!", *self.word); times].join(" ")
    }

    /// Is always refused.
    #[rpc]
    fn refuse(&self, name: String) -> Result<(), GreetingError> {
        Err(GreetingError::Absent { name, left: 3 })
    }

    #[rpc]
    fn context(&self, #[inject] cx: WorkerContext) -> (Option<String>, Option<String>) {
        let text = |value: Option<&kinoko::Value>| value.map(ToString::to_string);
        (text(cx.header("trace")), text(cx.get("language")))
    }
}

#[kinoko::main]
async fn main() -> kinoko::Result<()> {
    App::linked().version("1.2.3").run().await
}

//! `call`: one call of one method, by name.

use std::{io::Read, time::Duration};

use clap::ArgMatches;
use kinoko_text::{nearest, parse_duration};
use serde_json::{Map, json};

use super::{
    failure::{Failure, Target},
    print, print_json, texts,
};

use crate::{
    Error, ErrorKind, Result,
    client::{CallError, Client, ServiceProxy, UntypedCall},
    config::Settings,
    container::App,
    discovery::{Fleet, Presence},
    protocol::Value,
    service::ServiceDescriptor,
};

/// What is called, and how.
struct Request {
    target: Target,
    args: Vec<Value>,
    kwargs: Map<String, Value>,
    headers: Vec<(String, Value)>,
    context: Vec<(String, Value)>,
    timeout: Option<Duration>,
    idempotency_key: Option<String>,
    json: bool,
}

pub(super) async fn run(app: App, mut settings: Settings, matches: &ArgMatches) -> Result<()> {
    let request = Request::read(matches)?;
    let url = app.broker_url(&settings)?;
    let in_memory = url.starts_with("memory://");
    let told = matches.get_one::<String>("log").is_some() || settings.origin("log").as_deref() == Some("--define");
    if !told {
        // What a program says of its own life is no part of an answer; and what the service in this process says of a failed call
        // is in the answer already.
        settings.option("log", if in_memory { "off" } else { "warn" }, "call")?;
    }
    crate::log::install(&settings)?;
    let services: Vec<_> = app.descriptors().collect();
    if in_memory {
        if !services.iter().any(|service| service.name == request.target.service) {
            return Err(not_here(&services, &request.target.service));
        }
        let running = app.settings(settings).start().await?;
        let told = request.run(&running.proxy(), &services, None).await;
        running.stop().await?;
        return told;
    }
    app.declare(&settings)?;
    let client = Client::connect_with(&url, &settings).await.map_err(app.name_broker(&settings))?;
    let told = request.run(&client.proxy(), &services, Some(&client)).await;
    client.close().await;
    told
}

/// In memory there is nobody but this program.
fn not_here(services: &[&ServiceDescriptor], service: &str) -> Error {
    let names: Vec<_> = services.iter().map(|service| service.name).collect();
    let hint = match (nearest(service, names.iter().copied()), names.as_slice()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, []) => "this program has none.".to_owned(),
        (None, names) => format!("this program has {}.", names.join(", ")),
    };
    let text = format!(
        "no service `{service}`: the broker is in this process, so only services of this program can be called: {hint} \
         To call others set KINOKO_AMQP_URI, or write `--broker amqp://…`"
    );
    Error::new(ErrorKind::Usage, text)
}

impl Request {
    fn read(matches: &ArgMatches) -> Result<Self> {
        let target = matches.get_one::<String>("method").map(String::as_str).unwrap_or_default();
        let parts = target.rsplit_once('.').filter(|(service, method)| !service.is_empty() && !method.is_empty());
        let Some((service, method)) = parts else {
            let text = format!("`{target}` is no method: write the service and the method, `orders.place`");
            return Err(Error::new(ErrorKind::Usage, text));
        };
        let timeout = matches.get_one::<String>("timeout").map(|text| {
            parse_duration(text).map_err(|text| Error::new(ErrorKind::Usage, format!("`--timeout`: {text}")))
        });
        let (args, kwargs) = arguments(texts(matches, "arguments"))?;
        Ok(Self {
            target: Target { service: service.to_owned(), method: method.to_owned() },
            args,
            kwargs,
            headers: pairs(matches, "header")?,
            context: pairs(matches, "context")?,
            timeout: timeout.transpose()?,
            idempotency_key: matches.get_one::<String>("idempotency-key").cloned(),
            json: matches.get_flag("json"),
        })
    }

    async fn run(self, proxy: &ServiceProxy, services: &[&ServiceDescriptor], client: Option<&Client>) -> Result<()> {
        let answer = self.to_call(proxy).await;
        match answer {
            Ok(result) if self.json => print(&format!("{}\n", json!({ "result": result }))),
            Ok(result) => print_json(&result),
            Err(error) => {
                let others = match (&error, client) {
                    (CallError::UnknownService { did_you_mean: None, .. }, Some(client)) => others(client).await,
                    _ => Vec::new(),
                };
                let failure = Failure::new(&error, &self.target, services, &others);
                if self.json {
                    print(&format!("{}\n", failure.to_json()))?;
                }
                Err(failure.into_error(&self.target))
            }
        }
    }

    fn to_call(&self, proxy: &ServiceProxy) -> UntypedCall {
        let mut call = proxy.call(&self.target.service, &self.target.method);
        for arg in &self.args {
            call = call.arg(arg);
        }
        for (name, value) in &self.kwargs {
            call = call.kwarg(name, value);
        }
        for (name, value) in &self.headers {
            call = call.header(name.clone(), value.clone());
        }
        for (key, value) in &self.context {
            call = call.context(key, value.clone());
        }
        if let Some(key) = &self.idempotency_key {
            call = call.idempotency_key(key);
        }
        match self.timeout {
            Some(timeout) => call.timeout(timeout),
            None => call,
        }
    }
}

/// Who runs on the broker, as far as they say it soon.
async fn others(client: &Client) -> Vec<Presence> {
    let asked = async { Fleet::visit(client.transport()).await?.ping(None).await };
    asked.await.unwrap_or_default()
}

/// JSON where it is JSON, else a text.
fn loose(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

/// Arguments by position and by name.
fn arguments(mut words: Vec<String>) -> Result<(Vec<Value>, Map<String, Value>)> {
    let from_input = words == ["-"];
    if from_input {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Error::new(ErrorKind::Usage, format!("the arguments on standard input: {error}")))?;
        words = vec![text];
    }
    let looks_like_json = |text: &str| text.trim_start().starts_with(['{', '[']);
    if let [word] = words.as_slice()
        && (from_input || looks_like_json(word))
    {
        // A brace that is not closed is a slip of the shell's quotes rather than a text.
        let wrong =
            |why: &str| Error::new(ErrorKind::Usage, format!("the arguments are no JSON object or array: {why}"));
        return match serde_json::from_str(word).map_err(|error| wrong(&error.to_string()))? {
            Value::Object(kwargs) => Ok((Vec::new(), kwargs)),
            Value::Array(args) => Ok((args, Map::new())),
            _ => Err(wrong("write {…} or […]")),
        };
    }
    Ok((words.into_iter().map(loose).collect(), Map::new()))
}

fn pairs(matches: &ArgMatches, option: &str) -> Result<Vec<(String, Value)>> {
    let pairs = texts(matches, option).into_iter().map(|text| match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), loose(value.to_owned()))),
        _ => Err(Error::new(
            ErrorKind::Usage,
            format!("`--{option}` takes a key and a value: write `--{option} key=value`"),
        )),
    });
    pairs.collect()
}

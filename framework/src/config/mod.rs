//! Settings: a file, then the environment over it, then what the command line defines.

#[cfg(feature = "cli")]
mod entries;
mod env;
mod expand;
mod file;
mod known;
#[cfg(any(feature = "http", feature = "jwt"))]
mod mode;
mod nameko;
mod own;
mod read;
mod secret;
mod tree;

use std::{fmt, path::Path, sync::Arc};

use kinoko_text::parse_duration;
use serde::de::DeserializeOwned;

pub use self::known::SettingInfo;
#[cfg(any(feature = "http", feature = "jwt"))]
pub(crate) use self::mode::Mode;
#[cfg(feature = "http")]
pub(crate) use self::secret::is_secret_name;
use self::{
    known::Known,
    tree::{Kind, Map, Node, Origin},
};
pub(crate) use self::{own::own, secret::without_passwords};
use crate::{
    Error, ErrorKind, Result,
    protocol::{Value, excerpt},
};

/// What a program was told: one file, then `KINOKO_…` variables over it, then [definitions](Self::define) of the command line, then
/// what the program itself [`set`](Self::set).
///
/// The file is `kinoko.yaml` in the working directory, or the one that `KINOKO_CONFIG` or `--config` names; one that ends with `.toml` is TOML.
/// In its texts `${VAR}`, `${VAR:default}` and `${VAR:-default}` are replaced by environment variables.
/// A variable's name is its key in capitals, with two underscores where the key has a dot: `KINOKO_ORDERS__MAX_LINES` is `orders.max_lines`.
///
/// Nameko's own keys (`AMQP_URI`, `HEARTBEAT`, …) are read as the ones here, with a line in the log.
/// A key that nothing in the program reads ends the start; keys that begin with `x-` are the file's own.
///
/// # kinoko's own keys
///
/// | key | default | what |
/// | --- | --- | --- |
/// | `amqp_uri` | `memory://` | the broker: `memory://`, `amqp://user:password@host:5672/vhost`, `amqps://…` |
/// | `amqp_tls` | `false` | TLS to the broker: `true`, or a map of `ca`, `cert`, `key` and `server_name` |
/// | `login_method` | `plain` | how to log in to the broker: `plain`, `amqplain`, or `external` by certificate |
/// | `max_workers` | 256 | workers that run at once in one service instance |
/// | `rpc_timeout` | `30s` | how long a client waits for a reply, where nothing else is said |
/// | `dispatch_timeout` | `30s` | how long a dispatch or a publish waits for the broker's confirm |
/// | `grace_period` | `25s` | how long a stop waits for running workers |
/// | `rpc_codec` | `msgpack` | what typed clients speak to kinoko services: `msgpack` or `json` |
/// | `serializer` | `json` | what everything else is sent in, Python services included: `json` or `msgpack` |
/// | `max_body_bytes` | 16777216 | the largest body, sent or received |
/// | `parent_calls_tracked` | 10 | how many callers the call-id stack names |
/// | `shed_late` | `true` | whether a call that waited is not begun where less is left of its deadline than it usually takes |
/// | `wire` | `kinoko` | `nameko`: serve Nameko's queues only |
/// | `rpc_exchange` | `nameko-rpc` | the exchange of requests and replies on Nameko's path |
/// | `idempotency.window` | `24h` | how long an `idempotent` method knows what it has done, where it does not say |
/// | `heartbeat` | `5s` | how often the broker is asked for a sign of life; `0s`: never |
/// | `redeclare_interval` | `30s` | how often exchanges, queues and bindings are declared again, should somebody have deleted one; `0s`: never |
/// | `discovery.broker` | `true` | whether programs on one broker see each other |
/// | `discovery.services` | none | where the instances of services are that are called without the broker: see [`discovery`](crate::discovery#settings) |
/// | `discovery.dns_refresh` | `5s` | how often DNS is asked for them again |
/// | `discovery.wait` | `5s` | how long a call waits for the first answer to where they are |
/// | `log` | `info` | what is logged: a level, or `target=level` pairs with commas between |
/// | `log_format` | `text` | `json`: one object a line |
/// | `traces.sample` | 1 | the share of new traces that is recorded, 0 to 1; 0: nothing is traced |
/// | `traces.limit` | 100 | the most new traces that are recorded in a second; 0: no limit |
/// | `traces.kept` | 2000 | how many spans are kept in memory, for the operations page |
///
/// With the feature `saga`:
///
/// | key | default | what |
/// | --- | --- | --- |
/// | `saga.log` | `memory://` | where sagas are kept: `memory://`, or `memory://name`, which apps of one process share |
/// | `saga.lease` | `10s` | how long a saga is one process's own without a sign of life of it |
/// | `saga.keep` | `30d` | how long a saga that is over is kept in the log |
///
/// With the feature `http`, for the program's HTTP server and its operations endpoints; `docs/reference/settings.md` says more.
///
/// | key | default | what |
/// | --- | --- | --- |
/// | `http.address` | `127.0.0.1:8000` | where the HTTP server listens |
/// | `http.timeout` | `30s` | how long the worker of an HTTP request may run, where its route does not say |
/// | `http.body_timeout` | `10s` | how long the body of a request may take to arrive |
/// | `http.header_timeout` | `5s` | how long a TLS handshake may take, and the head of a request |
/// | `http.idle_timeout` | `60s` | how long a connection may rest |
/// | `http.max_body_bytes` | 2097152 | the largest body of a request, where its route does not say |
/// | `http.max_header_bytes` | 16384 | the largest head of a request |
/// | `http.max_waiting` | 1024 | the most requests that wait for a worker of one service |
/// | `http.max_connections` | 10000 | the most connections at once |
/// | `http.compression` | `true` | whether text is compressed for callers that take it |
/// | `http.docs` | `true` | whether documents and the docs page are served beside the routes |
/// | `http.tls.certificate` | none | file of the server's certificate: it speaks TLS |
/// | `http.tls.key` | in the certificate's file | file of its key |
/// | `http.tls.client_ca` | none | callers show a certificate that one of these CAs issued |
/// | `http.cors.origins` | none | the origins whose pages may call; `*`: all |
/// | `http.cors.methods` | the usual six | by which methods they may |
/// | `http.cors.headers` | all | with which headers |
/// | `http.cors.credentials` | `false` | whether with cookies |
/// | `http.cors.max_age` | `10m` | how long browsers keep that |
/// | `http.websocket.origins` | none | pages of which other origins may open websockets; `*`: all |
/// | `http.websocket.max_message_bytes` | 1048576 | the largest message that is read from a websocket |
/// | `http.websocket.max_in_flight` | 32 | the most messages of one websocket that are worked on |
/// | `http.websocket.max_pending_bytes` | 1048576 | the most bytes of events that wait to be written to one websocket |
/// | `http.websocket.ping_interval` | `20s` | how often a websocket is pinged |
/// | `http.websocket.ping_timeout` | `20s` | how long it may take to answer, or to take what is written |
/// | `ops.enabled` | `true` | whether there are operations endpoints |
/// | `ops.address` | `127.0.0.1:9000` | where they are; not set: there or at the next free port up to 9099 |
/// | `ops.token` | none | what a request must bring that changes something |
///
/// With the feature `grpc`:
///
/// | key | default | |
/// | --- | --- | --- |
/// | `grpc.address` | `127.0.0.1:50051` | where the gRPC server listens |
/// | `grpc.timeout` | `30s` | how long a call with one request and one response may take, where nobody else says |
/// | `grpc.body_timeout` | `10s` | how long the message of a call may keep its reader waiting |
/// | `grpc.max_message_bytes` | 4194304 | the largest message that is read |
/// | `grpc.max_waiting` | 1024 | the most calls that wait for a worker of one service |
/// | `grpc.max_concurrent_streams` | 200 | the most calls of one connection at once |
/// | `grpc.compression` | `false` | whether responses are compressed for all who can read it |
/// | `grpc.reflection` | `true` | whether tools may ask which services there are |
/// | `grpc.keep_alive` | `60s` | how often a connection is asked whether its other side is there |
/// | `grpc.keep_alive_timeout` | `20s` | how long the answer to that may take |
/// | `grpc.header_timeout` | `5s` | how long a TLS handshake may take |
/// | `grpc.idle_timeout` | `1h` | how long a connection may rest |
/// | `grpc.max_header_bytes` | 16384 | the most bytes of a call's metadata |
/// | `grpc.max_connections` | 10000 | the most connections at once |
/// | `grpc.tls.certificate` | none | file of the server's certificate: it speaks TLS |
/// | `grpc.tls.key` | in the certificate's file | file of its key |
/// | `grpc.tls.client_ca` | none | callers show a certificate that one of these CAs issued |
/// | `grpc.client.compression` | `false` | whether clients compress their requests |
/// | `grpc.client.connect_timeout` | `5s` | how long a client takes to connect |
/// | `grpc.client.tls.ca` | none | by whose certificates clients verify servers |
/// | `grpc.client.tls.certificate` | none | file of the certificate that clients show |
/// | `grpc.client.tls.key` | in the certificate's file | file of its key |
/// | `grpc.client.tls.domain` | none | the name that servers' certificates have to be for |
/// | `mode` | by the broker | `development` or `production` |
///
/// With the feature `consul`:
///
/// | key | default | what |
/// | --- | --- | --- |
/// | `consul.address` | none | where the agent is: `http://127.0.0.1:8500`, `https://…`; without it there is no Consul |
/// | `consul.token` | none | what the agent knows the program by; never shown |
/// | `consul.datacenter` | the agent's | where services are looked for |
/// | `consul.tls.ca` | the system's | file of the certificates that vouch for the agent |
/// | `consul.tls.certificate` | none | file of the program's own certificate |
/// | `consul.tls.key` | in the certificate's file | file of its key |
/// | `consul.register` | `true` | whether the program's ports are registered |
/// | `consul.advertise` | where it listens | the host that others are told; where it listens on all addresses, the agent's |
/// | `consul.tags` | none | tags beside `http` and `grpc` |
/// | `consul.meta` | none | what else others are told, as a map of texts |
/// | `consul.check` | `ttl` | `ttl`: the program says how it is; `http`: Consul asks `/health/ready`; `grpc`: Consul asks gRPC's health service |
/// | `consul.check_interval` | `10s` | how long Consul waits for a word of the program, or how often it asks; 1 s at least |
/// | `consul.deregister_after` | `1m` | after how long without one it forgets the instance; a minute at least, as Consul has it |
///
/// With the feature `otel`:
///
/// | key | default | what |
/// | --- | --- | --- |
/// | `otel.endpoint` | none | where the collector takes OTLP over gRPC |
/// | `otel.headers` | none | what every request to it carries; never shown |
/// | `otel.resource` | none | attributes of all spans' resource |
/// | `otel.interval` | `1s` | how long spans are gathered |
/// | `otel.timeout` | `10s` | how long the collector may take |
/// | `otel.queue` | 4096 | how many spans wait at most |
///
/// What goes around calls, `policies.{name}`: see [`Policy`](crate::resilience::Policy).
///
/// With the feature `metrics`:
///
/// | key | default | what |
/// | --- | --- | --- |
/// | `metrics.enabled` | `true` | whether `/metrics` is among the operations endpoints |
/// | `metrics.buckets` | powers of two, 7.6 µs to 64 s | the upper bounds of histograms, in seconds |
///
/// With the feature `sql`:
///
/// | key | default | what |
/// | --- | --- | --- |
/// | `idempotency.lease` | `10s` | how long a run of an `idempotent` method holds its key without a sign of life |
/// | `idempotency.sweep` | `1m` | how often answers that were kept long enough are deleted |
///
/// # Examples
///
/// ```
/// let settings = kinoko::Settings::from_yaml("orders:\n  max_lines: 7")?;
/// assert_eq!(settings.get::<usize>("orders.max_lines")?, Some(7));
/// assert_eq!(settings.get::<usize>("orders.min_lines")?, None);
/// # Ok::<(), kinoko::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Settings {
    root: Map,
    known: Known,
    notes: Vec<String>,
}

impl Settings {
    /// Reads the file and the environment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a file that is named and missing, or that cannot be read: the text says in which line.
    pub fn load() -> Result<Self> {
        Self::load_from(None)
    }

    /// The same with a file that the command line names.
    pub(crate) fn load_from(file: Option<&Path>) -> Result<Self> {
        let by_option = file.map(|path| (path.to_owned(), "`--config`"));
        let named = by_option.or_else(|| Some((std::env::var_os("KINOKO_CONFIG")?.into(), "KINOKO_CONFIG")));
        let path = named.as_ref().map_or(Path::new("kinoko.yaml"), |(path, _)| path);
        let variables = |name: &str| std::env::var(name).ok();
        let mut settings = match std::fs::read_to_string(path) {
            Ok(text) => Self::read(&text, Some(path.display().to_string().into()), &variables)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                let other = ["kinoko.yml", "kinoko.toml"].into_iter().find(|name| Path::new(name).exists());
                let note = |name| format!("`{name}` is not read: name it, `--config {name}` or KINOKO_CONFIG={name}");
                Self { notes: other.map(note).into_iter().collect(), ..Self::default() }
            }
            Err(error) => {
                let by = named.as_ref().map_or_else(String::new, |(_, by)| format!(" ({by} names it)"));
                let text = format!("settings file `{}` cannot be read: {error}{by}", path.display());
                return Err(Error::new(ErrorKind::Config, text));
            }
        };
        settings.apply_env(std::env::vars_os())?;
        Ok(settings)
    }

    /// Settings from the text of a YAML file alone; `${VAR}` in it is replaced.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] where the text is no YAML map.
    pub fn from_yaml(text: &str) -> Result<Self> {
        Self::read(text, None, &|name| std::env::var(name).ok())
    }

    fn read(text: &str, path: Option<Arc<str>>, variables: &expand::Lookup<'_>) -> Result<Self> {
        let root = file::Source { path, variables }.read(text)?;
        let mut settings = Self { root, ..Self::default() };
        settings.adopt_nameko()?;
        Ok(settings)
    }

    /// Sets a value over the file and the environment. Dots in the key step into maps.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        let node = Node::of_value(value.into(), &Origin::Program);
        if let Err((inner, _)) = tree::insert(&mut self.root, key, node.clone()) {
            // The program knows better than the file what its sections are.
            let _ = tree::insert(&mut self.root, &inner, Node::map(Origin::Program));
            let _ = tree::insert(&mut self.root, key, node);
        }
    }

    /// Sets a value as `--define` does, over the file and the environment: `orders.max_lines=7`.
    ///
    /// What is a number, a truth value, a list (`[a, b]`) or a map (`{a: 1}`) is one, where a text is not what is read.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a text without `=`, and for a key inside one that is no section.
    pub fn define(&mut self, definition: &str) -> Result<()> {
        let Some((key, value)) = definition.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
            // The whole may be a value: it is not repeated.
            return Err(Error::new(ErrorKind::Config, "a definition is a key and a value: write `orders.max_lines=7`"));
        };
        self.adopt(key.trim(), Node::loose(value.to_owned(), Origin::Option("--define")))
    }

    /// Sets a value for an option of the command line.
    #[cfg(feature = "cli")]
    pub(crate) fn option(&mut self, key: &str, value: &str, option: &'static str) -> Result<()> {
        self.insert(key, Node::loose(value.to_owned(), Origin::Option(option)))
    }

    fn insert(&mut self, key: &str, node: Node) -> Result<()> {
        let origin = node.origin.clone();
        if let Some(wrong) = tree::wrong_key(key) {
            return Err(Error::new(ErrorKind::Config, format!("setting `{}` (from {origin}): {wrong}", excerpt(key))));
        }
        tree::insert(&mut self.root, key, node).map_err(|(inner, at)| {
            let text =
                format!("setting `{key}` (from {origin}): `{inner}` ({at}) is no section, so nothing can stand in it");
            Error::new(ErrorKind::Config, text)
        })
    }

    /// The value of a key, if anybody set it. Dots step into maps; the value of a section is a struct or a map.
    ///
    /// A number or a truth value that was written without quotes is a text where a text is read; what came from the environment or the command
    /// line is what it is read as. A [`Duration`](std::time::Duration) is read from `30s`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a value of another type, naming the key and where it was set; the value of a secret is not repeated.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.known.read(key);
        let Some(node) = self.find(key) else { return Ok(None) };
        match serde_path_to_error::deserialize(node) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.misfit(key, node, &error)),
        }
    }

    fn misfit(&self, key: &str, node: &Node, error: &serde_path_to_error::Error<read::Misfit>) -> Error {
        let (mut place, mut inner) = (key.to_owned(), node);
        for segment in error.path() {
            match (segment, &inner.kind) {
                (serde_path_to_error::Segment::Seq { index }, Kind::List(items)) => {
                    place.push_str(&format!("[{index}]"));
                    inner = items.get(*index).unwrap_or(inner);
                }
                (serde_path_to_error::Segment::Map { key }, _) => {
                    place = tree::join(&place, key);
                    inner = inner.child(key).unwrap_or(inner);
                }
                _ => {}
            }
        }
        let (is_secret, mut secrets) = (|key: &str| self.known.is_secret(key), Vec::new());
        node.secrets(key, &is_secret, &mut secrets);
        let text = error.inner().to_string();
        let secret = is_secret(&place) || inner.is_secret();
        // Shorter ones are words of every other text.
        let repeats = |secret: &String| secret.len() > 3 && text.contains(secret.as_str());
        let text = match secret || secrets.iter().any(repeats) {
            true => hidden(&text),
            false => without_passwords(&text),
        };
        Error::new(ErrorKind::Config, format!("setting `{place}` (from {}): {text}", inner.origin))
    }

    /// A duration, written as `30s`, or the default.
    pub(crate) fn duration(&self, key: &str, default: std::time::Duration) -> Result<std::time::Duration> {
        let Some(text) = self.get::<String>(key)? else { return Ok(default) };
        parse_duration(&text).map_err(|text| self.refuse(key, text))
    }

    /// Where a setting was set, if anybody set it.
    pub(crate) fn origin(&self, key: &str) -> Option<String> {
        self.find(key).map(|node| node.origin.to_string())
    }

    /// The error of a value that is of the right type and wrong all the same.
    pub(crate) fn refuse(&self, key: &str, text: impl fmt::Display) -> Error {
        let origin = self.find(key).map_or(&Origin::Program, |node| &node.origin);
        Error::new(ErrorKind::Config, format!("setting `{key}` (from {origin}): {text}"))
    }

    fn find(&self, key: &str) -> Option<&Node> {
        tree::find(&self.root, key)
    }

    /// The value of a key as it may be shown.
    pub(crate) fn shown(&self, key: &str) -> Option<Value> {
        Some(self.find(key)?.shown(key, &|key| self.known.is_secret(key)))
    }
}

/// An error's text without the value that it is about.
fn hidden(text: &str) -> String {
    let about_a_value = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant "];
    let expected = about_a_value.iter().any(|start| text.starts_with(start)).then(|| text.rsplit_once(", expected "));
    match expected.flatten() {
        Some((_, expected)) => format!("expected {expected}; the value is a secret and not shown"),
        None => "it does not fit; the value is a secret and not shown".to_owned(),
    }
}

impl fmt::Debug for Settings {
    /// Keys and origins: which values are secrets is not known before the services have declared it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        tree::leaves(&self.root, "", &|_| false, &mut |key, node| {
            map.entry(&key, &format_args!("{}", node.origin));
        });
        map.finish()
    }
}

#[cfg(test)]
mod tests;

//! A service as Rust: its type, its methods, its client.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
};

use prost_build::{Comments, Method, Service, ServiceGenerator};

/// What is found wrong while services are written, which the trait has no way to say.
pub(crate) type Troubles = Arc<Mutex<Vec<String>>>;

pub(crate) struct Services {
    /// The errors of clients, by the service's whole name.
    pub(crate) errors: HashMap<String, String>,
    pub(crate) troubles: Troubles,
    /// The whole names of all services that there are.
    pub(crate) written: Arc<Mutex<Vec<String>>>,
}

impl ServiceGenerator for Services {
    fn generate(&mut self, service: Service, buf: &mut String) {
        let full = full_name(&service);
        self.check(&service, &full);
        let error = self.errors.get(&full).map_or("::kinoko::Error", String::as_str);
        write(buf, &service, &full, error).expect("text has room for more");
        self.written.lock().unwrap_or_else(PoisonError::into_inner).push(full);
    }
}

impl Services {
    fn check(&self, service: &Service, full: &str) {
        let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for method in &service.methods {
            names.entry(&method.name).or_default().push(&method.proto_name);
        }
        for (name, methods) in names.into_iter().filter(|(_, methods)| methods.len() > 1) {
            let methods = methods.join("` and `");
            let text =
                format!("the methods `{methods}` of `{full}` would both be `{name}` in Rust: rename one of them");
            self.troubles.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }
    }
}

fn full_name(service: &Service) -> String {
    match &*service.package {
        "" => service.proto_name.clone(),
        package => format!("{package}.{}", service.proto_name),
    }
}

/// The pattern of a method: its type, and what the channel has for it.
fn pattern(method: &Method) -> (&'static str, &'static str) {
    match (method.client_streaming, method.server_streaming) {
        (false, false) => ("Unary", "unary"),
        (true, false) => ("ClientStreaming", "client_streaming"),
        (false, true) => ("ServerStreaming", "server_streaming"),
        (true, true) => ("BidiStreaming", "bidi_streaming"),
    }
}

fn write(buf: &mut String, service: &Service, full: &str, error: &str) -> std::fmt::Result {
    let name = &service.name;
    docs(buf, &service.comments, &format!("The service `{full}`."))?;
    writeln!(buf, "#[derive(Debug, Clone, Copy)] pub struct {name};")?;
    writeln!(buf, "impl ::kinoko::grpc::ProtoService for {name} {{ type Client = {name}Client;")?;
    writeln!(buf, "const NAME: &'static str = {full:?};")?;
    writeln!(buf, "const METHODS: &'static [::kinoko::grpc::ProtoMethod] = &[")?;
    for method in &service.methods {
        let (rust, proto, missing) = (plain(&method.name), &method.proto_name, missing(method, full));
        writeln!(
            buf,
            "::kinoko::grpc::ProtoMethod {{ name: {rust:?}, proto_name: {proto:?}, missing: {missing:?} }},"
        )?;
    }
    let package = &service.package;
    writeln!(buf, "]; const DESCRIPTORS: &'static [u8] = ::core::include_bytes!({:?}); }}", file_name(package))?;

    writeln!(buf, "impl {name} {{")?;
    for method in &service.methods {
        let Method { name: rust, proto_name: proto, input_type: input, output_type: output, .. } = method;
        let (pattern, _) = pattern(method);
        docs(buf, &method.comments, &format!("The method `{proto}`."))?;
        writeln!(buf, "pub const fn {rust}() -> ::kinoko::grpc::{pattern}<{input}, {output}> {{")?;
        writeln!(buf, "::kinoko::grpc::{pattern}::new(\"/{full}/{proto}\") }}")?;
    }
    writeln!(buf, "}}")?;

    writeln!(buf, "/// A client of `{full}`.\n#[derive(Debug, Clone)]")?;
    writeln!(buf, "pub struct {name}Client {{ channel: ::kinoko::grpc::Channel }}")?;
    writeln!(buf, "impl ::core::convert::From<::kinoko::grpc::Channel> for {name}Client {{")?;
    writeln!(buf, "fn from(channel: ::kinoko::grpc::Channel) -> Self {{ Self {{ channel }} }} }}")?;
    writeln!(buf, "impl {name}Client {{")?;
    for method in &service.methods {
        client(buf, method, name, error)?;
    }
    writeln!(buf, "}}")
}

/// The method of a client.
fn client(buf: &mut String, method: &Method, service: &str, error: &str) -> std::fmt::Result {
    let Method { name: rust, proto_name: proto, input_type: input, output_type: output, .. } = method;
    let (_, call) = pattern(method);
    docs(buf, &method.comments, &format!("Calls `{proto}`."))?;
    if method.options.deprecated() {
        writeln!(buf, "#[deprecated]")?;
    }
    let (argument, ty) = match method.client_streaming {
        true => ("requests", format!("impl ::kinoko::grpc::Stream<Item = {input}> + Send + 'static")),
        false => ("request", input.clone()),
    };
    let answer = if method.server_streaming { "StreamCall" } else { "Call" };
    writeln!(buf, "pub fn {rust}(&self, {argument}: {ty}) -> ::kinoko::grpc::{answer}<{output}, {error}> {{")?;
    writeln!(buf, "self.channel.{call}({service}::{rust}(), {argument}) }}")
}

/// What the compiler says where a service that claims to serve everything lacks this method.
fn missing(method: &Method, full: &str) -> String {
    let Method { proto_name: proto, name: rust, input_type: input, output_type: output, .. } = method;
    let parameter = match method.client_streaming {
        true => format!("requests: Streaming<{input}>"),
        false => format!("request: {input}"),
    };
    let value = match method.server_streaming {
        true => format!("impl Stream<Item = Result<{output}, …>> + Send + use<>"),
        false => output.clone(),
    };
    format!(
        "the method `{proto}` of `{full}` is not served: write `#[grpc] async fn {rust}(&self, {parameter}) -> Result<{value}, …>`"
    )
}

/// A name as the text that it is, without the mark of a raw identifier.
fn plain(name: &str) -> &str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// The file with the descriptors of a package, beside the one with its Rust.
pub(crate) fn file_name(package: &str) -> String {
    format!("{}.descriptors.bin", package_name(package))
}

/// What a package is called as a file.
pub(crate) fn package_name(package: &str) -> &str {
    if package.is_empty() { "_" } else { package }
}

/// What the file says, or else a sentence of ours.
fn docs(buf: &mut String, comments: &Comments, otherwise: &str) -> std::fmt::Result {
    if comments.leading.is_empty() && comments.trailing.is_empty() {
        return writeln!(buf, "/// {otherwise}");
    }
    Comments { leading_detached: Vec::new(), ..comments.clone() }.append_with_indent(0, buf);
    Ok(())
}

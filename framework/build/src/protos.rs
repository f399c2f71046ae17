//! What is compiled, and how.

use std::{
    collections::{BTreeMap, HashMap},
    env, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use prost_build::{Config, Module};
use prost_types::{DescriptorProto, FileDescriptorSet};
use protox::Compiler;

use crate::{
    Error, comments, lints,
    messages::Derives,
    names,
    service::{self, Services, package_name},
};

/// `.proto` files to compile, with what else is to be said of them.
///
/// # Examples
///
/// ```no_run
/// fn main() -> Result<(), kinoko_build::Error> {
///     kinoko_build::Protos::new()
///         .include("proto")
///         .file("proto/inventory/v1/inventory.proto")
///         .errors("inventory.v1.Inventory", "crate::InventoryError")
///         .schema(true)
///         .compile()
/// }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is compiled before `compile`"]
pub struct Protos {
    files: Vec<PathBuf>,
    includes: Vec<PathBuf>,
    errors: HashMap<String, String>,
    paths: Vec<(String, String)>,
    out_dir: Option<PathBuf>,
    derives: Derives,
}

impl Protos {
    /// No files, with serde and without schemas.
    pub fn new() -> Self {
        Self::default()
    }

    /// A file to compile; what it imports is compiled with it.
    pub fn file(mut self, path: impl AsRef<Path>) -> Self {
        self.files.push(path.as_ref().to_owned());
        self
    }

    /// A folder that imports are looked for in, in the order in which they are named. Without any: the folder of each file.
    pub fn include(mut self, folder: impl AsRef<Path>) -> Self {
        self.includes.push(folder.as_ref().to_owned());
        self
    }

    /// The type of the errors that calls of a service's client return: one that derives `ServiceError`, by a path that holds where the
    /// package is brought in, such as `crate::InventoryError`. Default: `kinoko::Error`.
    pub fn errors(mut self, service: impl Into<String>, path: impl Into<String>) -> Self {
        self.errors.insert(service.into(), path.into());
        self
    }

    /// Where a package is found, or a message, that another crate has compiled already: `("common.v1", "::contracts::common::v1")`.
    /// Nothing is written for it.
    pub fn path(mut self, proto: impl AsRef<str>, rust: impl Into<String>) -> Self {
        self.paths.push((format!(".{}", proto.as_ref()), rust.into()));
        self
    }

    /// Whether messages are serde's too, for `#[rpc]` and `#[http]`. Default: true.
    pub fn serde(mut self, on: bool) -> Self {
        self.derives.serde = on;
        self
    }

    /// Whether messages have JSON schemas, for documents; with serde only. Default: false.
    pub fn schema(mut self, on: bool) -> Self {
        self.derives.schema = on;
        self
    }

    /// The folder that is written to. Default: `OUT_DIR`, which cargo sets, and where `kinoko::proto!` looks.
    pub fn out_dir(mut self, folder: impl AsRef<Path>) -> Self {
        self.out_dir = Some(folder.as_ref().to_owned());
        self
    }

    /// Compiles, and writes what came of it. Files that would not change are left alone.
    ///
    /// # Errors
    ///
    /// As of [`compile`](crate::compile).
    pub fn compile(self) -> Result<(), Error> {
        let (files, descriptors) = self.read()?;
        let out_dir = match &self.out_dir {
            Some(folder) => folder.clone(),
            None => env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| {
                Error::new("there is no OUT_DIR: call this from a build script, or name a folder by `Protos::out_dir`")
            })?,
        };
        for (name, contents) in self.write(files, &descriptors)? {
            let path = out_dir.join(name);
            if fs::read(&path).ok().as_deref() != Some(&*contents) {
                fs::write(&path, contents)
                    .map_err(|error| Error::new(format!("cannot write {}: {error}", path.display())))?;
            }
        }
        Ok(())
    }

    /// What the files say, and the same for reflection: encoded, without comments.
    fn read(&self) -> Result<(FileDescriptorSet, Vec<u8>), Error> {
        if self.files.is_empty() {
            return Err(Error::new("there is no file to compile: name one by `Protos::file`"));
        }
        for file in &self.files {
            rerun_if_changed(file);
            if !file.is_file() {
                let text = "no such file: paths in a build script begin at the folder of the package's Cargo.toml";
                return Err(Error::new(format!("{}: {text}", file.display())));
            }
        }
        let includes = self.includes();
        let shown: Vec<_> = includes.iter().map(|folder| folder.display().to_string()).collect();
        let refuse = |error: protox::Error| Error::of_compiler(&error, &shown);
        let mut compiler = Compiler::new(&includes).map_err(refuse)?;
        compiler.include_imports(true).open_files(&self.files).map_err(refuse)?;
        compiler.files().filter_map(|file| file.path()).for_each(rerun_if_changed);
        let descriptors = compiler.encode_file_descriptor_set();
        Ok((compiler.include_source_info(true).file_descriptor_set(), descriptors))
    }

    fn includes(&self) -> Vec<PathBuf> {
        let mut includes = self.includes.clone();
        if includes.is_empty() {
            let parent =
                |file: &PathBuf| file.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_owned);
            includes.extend(self.files.iter().map(|file| parent(file).unwrap_or_else(|| ".".into())));
            includes.dedup();
        }
        includes
    }

    /// The files to write, by name.
    fn write(&self, files: FileDescriptorSet, descriptors: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, Error> {
        let troubles = Arc::<Mutex<Vec<String>>>::default();
        let written = Arc::<Mutex<Vec<String>>>::default();
        let services = Services { errors: self.errors.clone(), troubles: troubles.clone(), written: written.clone() };
        let mut config = Config::new();
        config
            .prost_path("::kinoko::grpc::prost")
            .prost_types_path("::kinoko::grpc::prost_types")
            .service_generator(Box::new(services));
        for (proto, rust) in &self.paths {
            config.extern_path(proto, rust);
        }
        let mut packages = BTreeMap::new();
        let mut with_services = Vec::new();
        for file in &files.file {
            let package = file.package();
            packages.entry(Module::from_protobuf_package_name(package)).or_insert_with(|| package.to_owned());
            if !file.service.is_empty() {
                with_services.push(package.to_owned());
            }
            if self.derives.serde {
                let scope = if package.is_empty() { String::new() } else { format!(".{package}") };
                file.message_type.iter().for_each(|message| keep_names(&mut config, &scope, message));
            }
        }
        let requests = files.file.into_iter().map(|file| (Module::from_protobuf_package_name(file.package()), file));
        let modules = config.generate(requests.collect()).map_err(|error| Error::new(error.to_string()))?;

        let mut found = std::mem::take(&mut *troubles.lock().unwrap_or_else(PoisonError::into_inner));
        let written = written.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = self.errors.keys().filter(|service| !written.contains(service));
        found.extend(
            unknown.map(|service| format!("no service `{service}`, whose errors are named: there are {written:?}")),
        );
        let mut outputs = BTreeMap::new();
        for (module, code) in modules {
            let package = &packages[&module];
            let mut code = syn::parse_file(&code).map_err(|error| {
                Error::new(format!("what `{package}` became is no Rust, which is kinoko-build's fault: {error}"))
            })?;
            found.extend(names::doubles(&code.items).into_iter().map(|name| {
                format!("two things of the package `{package}` would be `{name}` in Rust, as messages, enums, services and the clients of services are called: rename one of them")
            }));
            comments::tame(&mut code);
            found.extend(self.derives.add(&mut code));
            lints::silence(&mut code);
            let text =
                format!("// Written by kinoko-build, of the package `{package}`.\n{}", prettyplease::unparse(&code));
            outputs.insert(format!("{}.rs", package_name(package)), text.into_bytes());
        }
        outputs.extend(with_services.iter().map(|package| (service::file_name(package), descriptors.to_vec())));
        if found.is_empty() { Ok(outputs) } else { Err(Error::new(found.join("\n"))) }
    }
}

#[allow(clippy::print_stdout, reason = "cargo reads it there")]
fn rerun_if_changed(file: &Path) {
    println!("cargo::rerun-if-changed={}", file.display());
}

/// Lets fields have the names of the file, where Rust's are others.
fn keep_names(config: &mut Config, scope: &str, message: &DescriptorProto) {
    let path = format!("{scope}.{}", message.name());
    for field in &message.field {
        let name = field.name();
        let rename = format!("#[serde(rename = {name:?})]");
        match field.oneof_index.filter(|_| !field.proto3_optional()) {
            // A variant, whose name in Rust is another in any case.
            Some(index) => {
                let oneof = message.oneof_decl[usize::try_from(index).unwrap_or_default()].name();
                config.field_attribute(format!("{path}.{oneof}.{name}"), rename);
            }
            None if names::may_differ(name) => {
                config.field_attribute(format!("{path}.{name}"), rename);
            }
            None => {}
        }
    }
    for oneof in message.oneof_decl.iter().filter(|oneof| names::may_differ(oneof.name())) {
        config.field_attribute(format!("{path}.{}", oneof.name()), format!("#[serde(rename = {:?})]", oneof.name()));
    }
    message.nested_type.iter().for_each(|nested| keep_names(config, &path, nested));
}

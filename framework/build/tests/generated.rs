//! What is written for small files, and what is refused.

use std::{
    fs,
    path::{Path, PathBuf},
};

use kinoko_build::{Error, Protos};

/// A folder of one test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("out")).unwrap();
        Self(folder)
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn protos(&self, files: &[&str]) -> Protos {
        let protos = Protos::new().include(&self.0).out_dir(self.0.join("out"));
        files.iter().fold(protos, |protos, file| protos.file(self.0.join(file)))
    }

    fn compile(&self, file: &str) -> Result<(), Error> {
        self.protos(&[file]).compile()
    }

    fn refusal(&self, file: &str) -> String {
        self.compile(file).unwrap_err().to_string()
    }

    /// What was written for a package.
    fn written(&self, package: &str) -> String {
        let text = fs::read_to_string(self.0.join("out").join(format!("{package}.rs"))).unwrap();
        squeezed(&text)
    }
}

/// However it was laid out.
fn squeezed(text: &str) -> String {
    let text: String = text.split_whitespace().collect();
    text.replace(",)", ")").replace(",>", ">")
}

#[track_caller]
fn wrote(text: &str, parts: &[&str]) {
    for part in parts {
        has(text, &[&squeezed(part)]);
    }
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
}

const INVENTORY: &str = r#"
syntax = "proto3";
package inventory.v1;
import "google/protobuf/empty.proto";

// What is in stock.
service Inventory {
  // How much there is.
  rpc CheckStock(CheckStockRequest) returns (Stock);
  rpc Upload(stream Stock) returns (google.protobuf.Empty);
  rpc WatchStock(CheckStockRequest) returns (stream Stock);
  rpc Chat(stream Stock) returns (stream Stock);
  rpc Type(Stock) returns (Stock) { option deprecated = true; }
}
message CheckStockRequest { string sku = 1; }
message Stock { int64 on_hand = 1; }
"#;

#[test]
fn a_service_is_a_type_its_methods_and_a_client() {
    let folder = Folder::new("service").file("inventory.proto", INVENTORY);
    folder.compile("inventory.proto").unwrap();
    let written = folder.written("inventory.v1");
    wrote(
        &written,
        &[
            "/// What is in stock. #[derive(Debug, Clone, Copy)] pub struct Inventory;",
            r#"const NAME: &'static str = "inventory.v1.Inventory";"#,
            r#"name: "check_stock", proto_name: "CheckStock","#,
            "write `#[grpc] async fn check_stock(&self, request: CheckStockRequest) -> Result<Stock, …>`",
            "write `#[grpc] async fn upload(&self, requests: Streaming<Stock>) -> Result<(), …>`",
            "-> Result<impl Stream<Item = Result<Stock, …>> + Send + use<>, …>`",
            "/// How much there is. pub const fn check_stock() -> ::kinoko::grpc::Unary<CheckStockRequest, Stock> { ::kinoko::grpc::Unary::new(\"/inventory.v1.Inventory/CheckStock\") }",
            "pub const fn upload() -> ::kinoko::grpc::ClientStreaming<Stock, ()> {",
            "pub const fn watch_stock() -> ::kinoko::grpc::ServerStreaming<CheckStockRequest, Stock> {",
            "pub const fn chat() -> ::kinoko::grpc::BidiStreaming<Stock, Stock> {",
            "pub fn check_stock( &self, request: CheckStockRequest, ) -> ::kinoko::grpc::Call<Stock, ::kinoko::Error> { self.channel.unary(Inventory::check_stock(), request) }",
            "requests: impl ::kinoko::grpc::Stream<Item = Stock> + Send + 'static, ) -> ::kinoko::grpc::StreamCall<Stock, ::kinoko::Error> { self.channel.bidi_streaming(Inventory::chat(), requests) }",
            // A keyword, and its name without the mark of one.
            r#"name: "type", proto_name: "Type","#,
            "#[deprecated] pub fn r#type(",
        ],
    );
    let descriptors = fs::read(folder.0.join("out/inventory.v1.descriptors.bin")).unwrap();
    let shown = String::from_utf8_lossy(&descriptors);
    assert!(shown.contains("google/protobuf/empty.proto") && !shown.contains("How much there is"), "{shown}");
}

#[test]
fn clients_have_the_errors_that_were_named() {
    let folder = Folder::new("errors").file("inventory.proto", INVENTORY);
    let protos = folder.protos(&["inventory.proto"]);
    protos.clone().errors("inventory.v1.Inventory", "crate::InventoryError").compile().unwrap();
    wrote(&folder.written("inventory.v1"), &["::kinoko::grpc::Call<Stock, crate::InventoryError>"]);
    let refusal = protos.errors("inventory.Inventory", "crate::InventoryError").compile().unwrap_err().to_string();
    assert_eq!(
        refusal,
        r#"no service `inventory.Inventory`, whose errors are named: there are ["inventory.v1.Inventory"]"#
    );
}

#[test]
fn imports_are_compiled_and_packages_name_each_other() {
    let folder = Folder::new("imports")
        .file("common/money.proto", "syntax = \"proto3\"; package common.v1; message Money { int64 cents = 1; }")
        .file(
            "shop.proto",
            "syntax = \"proto3\"; package shop; import \"common/money.proto\"; message Price { common.v1.Money money = 1; }",
        );
    folder.compile("shop.proto").unwrap();
    wrote(&folder.written("shop"), &["pub money: ::core::option::Option<super::common::v1::Money>"]);
    wrote(&folder.written("common.v1"), &["pub struct Money"]);

    folder.protos(&["shop.proto"]).path("common.v1", "::contracts::common").compile().unwrap();
    wrote(&folder.written("shop"), &["pub money: ::core::option::Option<::contracts::common::Money>"]);
}

#[test]
fn a_file_without_package_is_the_package_of_no_name() {
    let folder = Folder::new("no-package")
        .file("a.proto", "syntax = \"proto3\"; service Echo { rpc Say(Text) returns (Text); } message Text {}");
    folder.compile("a.proto").unwrap();
    wrote(
        &folder.written("_"),
        &["::kinoko::grpc::Unary::new(\"/Echo/Say\")", "include_bytes!(\"_.descriptors.bin\")"],
    );
}

#[test]
fn messages_have_serde_as_far_as_they_need_it() {
    let folder = Folder::new("messages").file(
        "a.proto",
        r#"
        syntax = "proto3";
        package a;
        import "google/protobuf/timestamp.proto";
        message Thing {
          enum Kind { KIND_UNKNOWN = 0; KIND_GOOD = 1; }
          Kind kind = 1;
          optional Kind other = 2;
          repeated Kind kinds = 3;
          map<string, Kind> by_name = 4;
          bytes raw = 5;
          google.protobuf.Timestamp at = 6;
          string skuId = 7;
          string plain = 8;
          oneof choice_1 { string text = 9; Kind picked_2 = 10; }
          string type = 11;
        }
        "#,
    );
    folder.compile("a.proto").unwrap();
    let written = folder.written("a");
    wrote(
        &written,
        &[
            r#"#[serde(crate = "::kinoko::__private::serde", default)] pub struct Thing {"#,
            r#"#[serde(with = "::kinoko::grpc::serde::Plain::<::kinoko::grpc::serde::Enum<thing::Kind>>")] pub kind: i32,"#,
            r#"#[serde( with = "::kinoko::grpc::serde::Optional::<::kinoko::grpc::serde::Enum<thing::Kind>>" )] pub other:"#,
            "::kinoko::grpc::serde::Repeated::<::kinoko::grpc::serde::Enum<thing::Kind>>",
            "::kinoko::grpc::serde::MapValues::<::kinoko::grpc::serde::Enum<thing::Kind>>",
            r#"#[serde(with = "::kinoko::grpc::serde::Plain::<::kinoko::grpc::serde::Bytes>")] pub raw:"#,
            r#"#[serde(with = "::kinoko::grpc::serde::Optional::<::kinoko::grpc::serde::Timestamp>")] pub at:"#,
            r#"#[serde(rename = "skuId")] pub sku_id:"#,
            r#"#[prost(string, tag = "8")] pub plain:"#,
            r#"#[serde(rename = "picked_2")] Picked2( #[serde(with = "::kinoko::grpc::serde::Plain::<::kinoko::grpc::serde::Enum<Kind>>")] i32"#,
            "pub r#type: ::kinoko::grpc::prost::alloc::string::String",
            "impl ::kinoko::grpc::serde::ProtoEnum for Kind",
            r#"&["KIND_UNKNOWN", "KIND_GOOD"]"#,
        ],
    );
    assert!(!written.contains("schemars"), "{written}");
    folder.protos(&["a.proto"]).schema(true).compile().unwrap();
    wrote(&folder.written("a"), &["#[derive(::kinoko::grpc::serde::schemars::JsonSchema)]"]);
    folder.protos(&["a.proto"]).serde(false).compile().unwrap();
    assert!(!folder.written("a").contains("serde"));
}

#[test]
fn code_in_comments_is_no_doctest() {
    let folder = Folder::new("comments").file(
        "a.proto",
        "syntax = \"proto3\"; package a;\n// As in:\n//\n//     no_rust(\n//\n// ```\n// nor this(\n// ```\nmessage Thing {}",
    );
    folder.compile("a.proto").unwrap();
    let text = fs::read_to_string(folder.0.join("out/a.rs")).unwrap();
    has(&text, &["///   no_rust(\n", "/// ```text\n/// nor this(\n/// ```\n"]);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let folder = Folder::new("wrong")
        .file("syntax.proto", "syntax = \"proto3\";\nmessage {")
        .file("type.proto", "syntax = \"proto3\";\nmessage A {\n  Bar bar = 1;\n}")
        .file("import.proto", "syntax = \"proto3\";\n\nimport \"nowhere.proto\";");
    has(&folder.refusal("missing.proto"), &["missing.proto: no such file: paths in a build script begin at"]);
    has(&folder.refusal("syntax.proto"), &["syntax.proto:2:9: expected an identifier"]);
    has(&folder.refusal("type.proto"), &["type.proto:3:3: name 'Bar' is not defined"]);
    has(
        &folder.refusal("import.proto"),
        &["import.proto:3:1: import 'nowhere.proto' not found: looked in `", "by `Protos::include`"],
    );
    has(&Protos::new().compile().unwrap_err().to_string(), &["there is no file to compile"]);
}

#[test]
fn names_that_meet_in_rust_are_refused() {
    let folder = Folder::new("names")
        .file("methods.proto", "syntax = \"proto3\"; package a; service S { rpc GetIt(M) returns (M); rpc get_it(M) returns (M); } message M {}")
        .file("message.proto", "syntax = \"proto3\"; package a; service S { rpc Get(S2) returns (S2); } message S2 {} message s {}")
        .file("client.proto", "syntax = \"proto3\"; package a; service S { rpc Get(SClient) returns (SClient); } message SClient {}");
    has(
        &folder.refusal("methods.proto"),
        &["the methods `GetIt` and `get_it` of `a.S` would both be `get_it` in Rust: rename one of them"],
    );
    has(&folder.refusal("message.proto"), &["two things of the package `a` would be `S` in Rust"]);
    has(&folder.refusal("client.proto"), &["two things of the package `a` would be `SClient` in Rust"]);
}

#[test]
fn a_well_known_type_without_a_form_is_refused_unless_serde_is_off() {
    let folder = Folder::new("any").file(
        "a.proto",
        "syntax = \"proto3\"; package a; import \"google/protobuf/any.proto\"; message M { google.protobuf.Any any = 1; }",
    );
    has(
        &folder.refusal("a.proto"),
        &["`any` of `M` is a `google.protobuf.Any`, which has no form in JSON yet", "`Protos::serde(false)`"],
    );
    folder.protos(&["a.proto"]).serde(false).compile().unwrap();
}

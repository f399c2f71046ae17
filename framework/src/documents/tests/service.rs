//! A service as `#[service]` would describe it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    __shape,
    protocol::{Described, FaultMeta, MethodShapes, Param, VariantInfo},
    service::{AnswerShape, BodyFormat, ParamPlace, RouteAbout, RouteInfo, RouteParam, ServiceDescriptor},
};

#[derive(JsonSchema, Serialize, Deserialize)]
pub(super) struct Item {
    /// The server's.
    #[serde(skip_deserializing)]
    id: u32,
    name: String,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(JsonSchema, Deserialize)]
#[expect(dead_code, reason = "only its schema is asked for")]
pub(super) struct Page {
    /// How many to leave out.
    #[serde(default)]
    offset: u32,
    limit: Option<u8>,
    order: Order,
}

#[derive(JsonSchema, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    Name,
    Age,
}

pub(super) const fn param(name: &'static str, required: bool, default: Option<&'static str>) -> Param {
    Param { name, ty: "", default, required, sensitive: false }
}

pub(super) const fn at(place: ParamPlace, param: Param) -> RouteParam {
    RouteParam { name: param.name, param, doc: "", place }
}

pub(super) const fn about(name: &'static str) -> RouteAbout {
    RouteAbout { name, tag: None, summary: None, deprecated: false, hide: false }
}

const fn meta(code: &'static str, http: Option<u16>) -> FaultMeta {
    FaultMeta { exc_type: code, exc_path: code, exc_args: &[], code, http, grpc: None, retry: None }
}

const ERRORS: &[VariantInfo] = &[
    VariantInfo::Own { meta: meta("GONE", Some(404)), doc: "Sold.", fields: &[("when", __shape!(String))] },
    VariantInfo::Own { meta: meta("NO_ITEM", Some(404)), doc: "Never was.", fields: &[] },
    VariantInfo::Own { meta: meta("ODD", None), doc: "", fields: &[] },
    VariantInfo::Forwarded(&[VariantInfo::Own { meta: meta("INNER", Some(409)), doc: "", fields: &[] }]),
    VariantInfo::Internal,
];

pub(super) const GET: RouteInfo = RouteInfo {
    index: 0,
    method: "get",
    doc: "Looks one up.\n\nIt has to be there.",
    verb: "GET",
    path: "/items/{id}",
    params: &[at(ParamPlace::Path, param("id", true, None))],
    extracts: false,
    deny_unknown_query: false,
    max_body_bytes: None,
    timeout: None,
    max_workers: None,
    status: 200,
    about: about("get"),
    shapes: MethodShapes { params: &[__shape!(u32)], ok: __shape!(Item), errors: ERRORS },
    answer: AnswerShape::of(|generator| vec![("application/json", Described::<Item>::schema(generator))]),
    security: &[],
};

pub(super) const REPLACE: RouteInfo = RouteInfo {
    index: 1,
    method: "replace",
    doc: "",
    verb: "PUT",
    // The same path by another name.
    path: "/items/{key}",
    params: &[
        at(ParamPlace::Path, param("key", true, None)),
        at(ParamPlace::Body(BodyFormat::Json), param("item", true, None)),
    ],
    shapes: MethodShapes { params: &[__shape!(u32), __shape!(Item)], ok: __shape!(Item), errors: ERRORS },
    about: about("replace"),
    ..GET
};

pub(super) const LIST: RouteInfo = RouteInfo {
    index: 2,
    method: "list",
    path: "/items",
    params: &[
        at(ParamPlace::Query, param("page", true, None)),
        at(ParamPlace::Query, param("word", false, Some("\"any\""))),
    ],
    shapes: MethodShapes { params: &[__shape!(Page), __shape!(Option<String>)], ok: __shape!(Vec<Item>), errors: &[] },
    about: about("list"),
    ..GET
};

pub(super) const BUY: RouteInfo = RouteInfo {
    index: 3,
    method: "buy",
    verb: "POST",
    path: "/items/{id}/buyers",
    params: &[
        at(ParamPlace::Path, param("id", true, None)),
        at(ParamPlace::Field(BodyFormat::Form), param("buyer", true, None)),
        at(ParamPlace::Field(BodyFormat::Form), param("note", false, None)),
    ],
    shapes: MethodShapes {
        params: &[__shape!(u32), __shape!(String), __shape!(Option<String>)],
        ok: __shape!(()),
        errors: &[],
    },
    status: 204,
    about: RouteAbout { tag: Some("sales"), summary: Some("Buys one"), deprecated: true, ..about("get") },
    ..GET
};

pub(super) const HIDDEN: RouteInfo =
    RouteInfo { path: "/hidden", about: RouteAbout { hide: true, ..about("hidden") }, ..LIST };

pub(super) const SHOP: ServiceDescriptor = ServiceDescriptor {
    doc: "What is for sale.",
    routes: &[GET, REPLACE, LIST, BUY, HIDDEN],
    ..ServiceDescriptor::named("shop")
};

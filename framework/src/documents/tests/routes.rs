use serde_json::json;

use super::{
    super::openapi,
    dangling, info,
    service::{BUY, GET, SHOP},
};
use crate::{
    protocol::Value,
    service::{RouteInfo, SecurityScheme, ServiceDescriptor},
};

fn document(service: &'static ServiceDescriptor) -> Value {
    openapi(&info(&[service]), &[service])
}

fn shop() -> Value {
    document(&SHOP)
}

#[test]
fn all_references_lead_somewhere_and_the_document_is_the_same_each_time() {
    let document = shop();
    assert_eq!(dangling(&document), Default::default());
    assert_eq!(document, shop());
}

#[test]
fn paths_that_differ_in_names_alone_are_one() {
    let document = shop();
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/items", "/items/{id}", "/items/{id}/buyers"], "hidden ones are left out");
    assert_eq!(document["paths"]["/items/{id}"]["put"]["parameters"][0]["name"], "id");
}

#[test]
fn a_doc_comment_is_a_summary_and_a_description() {
    let document = shop();
    let get = &document["paths"]["/items/{id}"]["get"];
    assert_eq!(get["summary"], "Looks one up.");
    assert_eq!(get["description"], "It has to be there.");
    let buy = &document["paths"]["/items/{id}/buyers"]["post"];
    assert_eq!((&buy["summary"], &buy["deprecated"]), (&json!("Buys one"), &json!(true)));
    assert_eq!(buy["description"], GET.doc, "with a summary of its own the comment stays whole");
    assert_eq!(document["tags"], json!([{ "name": "shop", "description": "What is for sale." }, { "name": "sales" }]));
}

#[test]
fn operations_of_one_name_are_told_apart() {
    let document = shop();
    assert_eq!(document["paths"]["/items/{id}"]["get"]["operationId"], "shop_get");
    assert_eq!(document["paths"]["/items/{id}/buyers"]["post"]["operationId"], "shop_get_2");
    assert_eq!(document["paths"]["/items"]["get"]["operationId"], "list");
}

#[test]
fn a_struct_in_the_query_is_one_parameter_for_each_field() {
    let parameters = &shop()["paths"]["/items"]["get"]["parameters"];
    let expected = json!([
        { "name": "limit", "in": "query", "schema": { "type": "integer", "format": "uint8", "minimum": 0, "maximum": 255 } },
        {
            "name": "offset",
            "in": "query",
            "description": "How many to leave out.",
            "schema": { "type": "integer", "format": "uint32", "minimum": 0, "maximum": u32::MAX, "default": 0 },
        },
        { "name": "order", "in": "query", "required": true, "schema": { "$ref": "#/components/schemas/Order" } },
        { "name": "word", "in": "query", "schema": { "type": "string", "default": "any" } },
    ]);
    assert_eq!(parameters, &expected, "null cannot be written in a query");
}

#[test]
fn fields_of_a_form_are_one_object() {
    let body = &shop()["paths"]["/items/{id}/buyers"]["post"]["requestBody"];
    let schema = &body["content"]["application/x-www-form-urlencoded"]["schema"];
    assert_eq!(body["required"], true);
    assert_eq!(schema["required"], json!(["buyer"]));
    assert_eq!(schema["properties"]["note"], json!({ "type": "string" }));
}

#[test]
fn a_type_that_looks_otherwise_on_its_way_out_has_a_second_name() {
    let document = shop();
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["Item"]["properties"].as_object().unwrap().keys().collect::<Vec<_>>(), ["name", "tags"]);
    let out = schemas["ItemOutput"]["properties"].as_object().unwrap();
    assert_eq!(out.keys().collect::<Vec<_>>(), ["id", "name", "tags"]);
    let put = &document["paths"]["/items/{id}"]["put"];
    let json = |at: &Value| at["content"]["application/json"]["schema"]["$ref"].clone();
    assert_eq!(json(&put["requestBody"]), "#/components/schemas/Item");
    assert_eq!(json(&put["responses"]["200"]), "#/components/schemas/ItemOutput");
    assert!(schemas.get("Page").is_none(), "nothing refers to it once its fields are parameters");
}

#[test]
fn errors_are_listed_by_status() {
    let document = shop();
    let responses = &document["paths"]["/items/{id}"]["put"]["responses"];
    let statuses: Vec<_> = responses.as_object().unwrap().keys().collect();
    assert_eq!(statuses, ["200", "400", "404", "409", "413", "415", "422", "502", "503", "504", "default"]);
    let not_found = &responses["404"];
    assert_eq!(not_found["description"], "- `GONE`: Sold.\n- `NO_ITEM`: Never was.\n");
    let schema = &not_found["content"]["application/problem+json"]["schema"];
    let problem = json!({ "$ref": "#/components/schemas/Problem" });
    let gone = json!({
        "properties": {
            "code": { "const": "GONE" },
            "data": { "type": "object", "properties": { "when": { "type": "string" } }, "required": ["when"] },
        },
        "required": ["code", "data"],
    });
    assert_eq!(schema["oneOf"][0], json!({ "title": "GONE", "allOf": [problem, gone] }));
    // Beside what kinoko itself answers with under this status.
    let bad = &responses["400"]["content"]["application/problem+json"]["schema"];
    assert_eq!(bad["anyOf"][0]["title"], "ODD");
    assert_eq!(bad["anyOf"][1], problem);
    let get = &document["paths"]["/items/{id}"]["get"]["responses"];
    assert!(get.get("413").is_none(), "it has no body");
}

#[test]
fn a_success_without_content_has_none() {
    let success = &shop()["paths"]["/items/{id}/buyers"]["post"]["responses"]["204"];
    assert_eq!(success, &json!({ "description": "No Content" }));
}

#[test]
fn security_is_what_the_parameters_ask_for() {
    const SECURE: ServiceDescriptor = ServiceDescriptor {
        routes: &[RouteInfo {
            security: &[
                None,
                Some(SecurityScheme::Bearer { format: "JWT" }),
                Some(SecurityScheme::ApiKey { header: "x-key" }),
            ],
            ..BUY
        }],
        ..SHOP
    };
    let document = document(&SECURE);
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["bearer"], json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT" }));
    assert_eq!(schemes["key-x-key"], json!({ "type": "apiKey", "in": "header", "name": "x-key" }));
    let operation = &document["paths"]["/items/{id}/buyers"]["post"];
    assert_eq!(operation["security"], json!([{ "bearer": [], "key-x-key": [] }]));
    assert!(operation["responses"].get("401").is_some());
}

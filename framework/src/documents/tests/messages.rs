use std::time::Duration;

use schemars::JsonSchema;
use serde_json::json;

use super::{
    super::asyncapi,
    dangling, info,
    service::{Item, SHOP, param},
};
use crate::{
    __shape,
    event::EventName,
    protocol::{FaultMeta, MethodShapes, Param, Value, VariantInfo},
    service::{
        BindInfo, ConsumerInfo, DispatchInfo, EventHandlerInfo, HandlerKind, HandlingInfo, MethodInfo, Schedule,
        ServiceDescriptor, TimerInfo,
    },
    transport::ExchangeKind,
};

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is asked for")]
struct Placed {
    order: u64,
}

const SECRET: Param = Param { sensitive: true, ..param("secret", false, Some("\"x\"")) };

const ERRORS: &[VariantInfo] = &[VariantInfo::Own {
    meta: FaultMeta {
        exc_type: "OutOfStock",
        exc_path: "shop.OutOfStock",
        exc_args: &[],
        code: "OUT_OF_STOCK",
        http: None,
        grpc: None,
        retry: None,
    },
    doc: "Nothing is left.",
    fields: &[("left", __shape!(u32))],
}];

const PLACED: EventName = EventName { source: "orders", name: "placed" };

const fn handler(method: &'static str, kind: HandlerKind) -> EventHandlerInfo {
    EventHandlerInfo {
        index: 1,
        method,
        doc: "Notes it.",
        events: &[PLACED],
        payload: "Placed",
        shape: Some(__shape!(Placed)),
        kind,
        reliable: true,
        handling: HandlingInfo::DEFAULT,
    }
}

const SERVICE: ServiceDescriptor = ServiceDescriptor {
    routes: &[],
    methods: &[MethodInfo {
        index: 0,
        name: "reserve",
        doc: "Reserves.\n\nFor a day.",
        params: &[param("item", true, None), SECRET],
        returns: "Item",
        error: None,
        timeout: Some(Duration::from_secs(2)),
        max_workers: None,
        shapes: MethodShapes { params: &[__shape!(Item), __shape!(String)], ok: __shape!(Item), errors: ERRORS },
    }],
    events: &[handler("on_placed", HandlerKind::ServicePool), handler("tell", HandlerKind::Broadcast)],
    consumers: &[ConsumerInfo {
        index: 3,
        method: "letter",
        doc: "",
        queue: "letters",
        bind: Some(BindInfo { exchange: "post", kind: ExchangeKind::Topic, routing_key: "letter.#" }),
        declare: true,
        payload: "",
        shape: None,
        handling: HandlingInfo::DEFAULT,
    }],
    timers: &[TimerInfo {
        index: 4,
        method: "sweep",
        doc: "Sweeps.",
        schedule: Schedule::Cron { expression: "0 3 * * *", zone: "Europe/Berlin" },
        eager: true,
        once_per_fleet: true,
        timeout: None,
    }],
    sockets: &[MethodInfo {
        index: 5,
        name: "watch",
        doc: "Watches.",
        params: &[param("item", true, None)],
        returns: "Item",
        error: None,
        timeout: None,
        max_workers: None,
        shapes: MethodShapes { params: &[__shape!(Item)], ok: __shape!(Item), errors: ERRORS },
    }],
    dispatches: &[
        DispatchInfo { event: PLACED, shape: __shape!(Placed) },
        DispatchInfo { event: EventName { source: "shop", name: "sold_out" }, shape: __shape!(Item) },
    ],
    ..SHOP
};

fn document() -> Value {
    asyncapi(&info(&[&SERVICE]), &[&SERVICE])
}

#[test]
fn all_references_lead_somewhere_and_the_document_is_the_same_each_time() {
    assert_eq!(dangling(&document()), Default::default());
    assert_eq!(document(), document());
}

#[test]
fn a_method_is_a_request_with_a_reply() {
    let document = document();
    let channel = &document["channels"]["rpc.shop.reserve"];
    assert_eq!(channel["address"], "shop.reserve");
    assert_eq!(channel["bindings"]["amqp"]["exchange"]["name"], "nameko-rpc");
    let kwargs = &channel["messages"]["request"]["payload"]["properties"]["kwargs"];
    assert_eq!(kwargs["required"], json!(["item"]));
    assert_eq!(kwargs["properties"]["item"], json!({ "$ref": "#/components/schemas/Item" }));
    assert_eq!(kwargs["properties"]["secret"], json!({ "type": "string", "x-kinoko-sensitive": true }));
    let operation = &document["operations"]["rpc.shop.reserve"];
    assert_eq!((&operation["action"], &operation["summary"]), (&json!("receive"), &json!("Reserves.")));
    assert_eq!(operation["x-kinoko-rpc"]["queue"], "rpc-shop");
    assert_eq!(operation["x-kinoko-rpc"]["short_queue"], "kinoko.rpc-shop");
    assert_eq!(operation["x-kinoko-rpc"]["timeout_ms"], 2000);
}

#[test]
fn a_reply_has_a_result_or_one_of_the_methods_errors() {
    let reply = &document()["channels"]["rpc.shop.reserve.reply"]["messages"]["reply"]["payload"];
    let [ok, error] = &reply["oneOf"].as_array().unwrap()[..] else { panic!("{reply}") };
    assert_eq!(ok["properties"]["result"], json!({ "$ref": "#/components/schemas/ItemOutput" }));
    let own = &error["properties"]["error"]["anyOf"][0];
    assert_eq!((&own["title"], &own["description"]), (&json!("OUT_OF_STOCK"), &json!("Nothing is left.")));
    let fields = &own["allOf"][1]["properties"];
    assert_eq!(fields["data"]["properties"]["left"]["type"], "integer");
}

#[test]
fn handlers_of_one_event_share_its_channel() {
    let document = document();
    let channel = &document["channels"]["event.orders.placed"];
    assert_eq!(channel["address"], "placed");
    assert_eq!(channel["bindings"]["amqp"]["exchange"]["name"], "orders.events");
    assert_eq!(channel["messages"].as_object().unwrap().len(), 1, "both read it by the same type");
    let operations = &document["operations"];
    let pool = &operations["event.shop.on_placed"]["x-kinoko-handler"];
    assert_eq!((&pool["kind"], &pool["queue"]), (&json!("service_pool"), &json!("evt-orders-placed--shop.on_placed")));
    let broadcast = &operations["event.shop.tell"]["x-kinoko-handler"];
    assert_eq!(broadcast["queue"], "evt-orders-placed--shop.tell-{instance}");
}

#[test]
fn an_event_that_is_dispatched_is_sent_on_its_channel() {
    let document = document();
    let operation = &document["operations"]["dispatch.shop.shop.sold_out"];
    assert_eq!(
        (&operation["action"], &operation["channel"]["$ref"]),
        (&json!("send"), &json!("#/channels/event.shop.sold_out"))
    );
    let channel = &document["channels"]["event.shop.sold_out"];
    assert_eq!(channel["bindings"]["amqp"]["exchange"]["name"], "shop.events");
    assert_eq!(channel["messages"]["payload"]["payload"], json!({ "$ref": "#/components/schemas/Item" }));
    // One that is handled here as well has one message.
    let both = &document["operations"]["dispatch.shop.orders.placed"];
    assert_eq!(both["messages"], document["operations"]["event.shop.on_placed"]["messages"]);
}

#[test]
fn the_messages_of_sockets_have_one_channel() {
    let document = document();
    let channel = &document["channels"]["websocket.shop"];
    assert_eq!((&channel["address"], &channel["bindings"]["ws"]["method"]), (&json!("/ws"), &json!("GET")));
    let request = &channel["messages"]["watch"]["payload"];
    assert_eq!(request["properties"]["data"]["properties"]["item"], json!({ "$ref": "#/components/schemas/Item" }));
    assert_eq!(request["required"], json!(["method", "data"]));
    let [ok, error] = &channel["messages"]["watch.reply"]["payload"]["oneOf"].as_array().unwrap()[..] else { panic!() };
    assert_eq!(ok["properties"]["data"], json!({ "$ref": "#/components/schemas/ItemOutput" }));
    assert_eq!(error["properties"]["error"]["anyOf"][0]["title"], "OUT_OF_STOCK");
    let operation = &document["operations"]["websocket.shop.watch"];
    assert_eq!((&operation["action"], &operation["summary"]), (&json!("receive"), &json!("Watches.")));
    assert_eq!(operation["reply"]["messages"][0]["$ref"], "#/channels/websocket.shop/messages/watch.reply");
    assert_eq!(document["operations"]["socket-events.shop"]["action"], "send");
}

#[test]
fn a_consumed_queue_says_what_binds_it() {
    let document = document();
    assert_eq!(document["channels"]["queue.letters"]["bindings"]["amqp"]["is"], "queue");
    let told = &document["operations"]["consume.shop.letter"]["x-kinoko-handler"];
    assert_eq!(told["exchange"], json!({ "name": "post", "kind": "topic", "routing_key": "letter.#" }));
    assert_eq!(told["retry"]["attempts"], 5);
}

#[test]
fn timers_stand_beside() {
    let timers = &document()["x-kinoko-timers"];
    assert_eq!(timers[0]["cron"], "0 3 * * *");
    assert_eq!(timers[0]["queue"], "kinoko.timer-shop.sweep");
    assert_eq!(timers[0]["summary"], "Sweeps.");
}

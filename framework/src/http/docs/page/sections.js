// The sections of RPC, websockets, events, queues and timers.

import { consumers, dispatched, handlers, methods, sockets, timers } from "./asyncapi.js";
import { code, element, json, table } from "./element.js";
import { typeText, withDefinitions } from "./schema.js";
import { callForm, eventForm, isOn } from "./send.js";

/** Fills a section with entries, under the names of their services; one without entries says so. */
function fill(id, entries, render) {
  const section = document.getElementById(id);
  if (entries.length === 0) section.append(element("p", { class: "quiet" }, "None."));
  for (const service of new Set(entries.map((entry) => entry.service))) {
    section.append(element("h3", {}, service));
    section.append(...entries.filter((entry) => entry.service === service).map(render));
  }
}

export function render(whole) {
  fill("rpc", methods(whole), (method) => entry(method, signature(method), rpcBody(whole, method)));
  fill("websockets", sockets(whole), (method) => entry(method, signature(method), socketBody(whole, method)));
  const events = [
    ...handlers(whole).map((handler) => ({ ...handler, body: handlerBody(whole, handler) })),
    ...dispatched(whole).map((event) => ({ ...event, body: dispatchedBody(whole, event) })),
  ];
  fill("events", events, (event) => entry(event, listening(event), event.body));
  fill("queues", consumers(whole), (consumer) => entry(consumer, consumer.about.queue, consumerBody(whole, consumer)));
  fill("timers", timers(whole), timerEntry);
}

/** One that opens: what it is in one line, and all of it. */
function entry({ id, name, summary, description }, rest, body) {
  return element("details", { class: "entry", id },
    element("summary", {}, element("span", { class: "name" }, name), " ", code(rest), summary ? ` – ${summary}` : ""),
    element("div", { class: "body" }, description ? element("p", { class: "text" }, description) : "", ...body));
}

function signature({ params, result }) {
  const list = params.map(({ name, required, schema }) => `${name}${required ? "" : "?"}: ${typeText(schema)}`);
  return `(${list.join(", ")}) → ${typeText(result)}`;
}

function rpcBody(whole, method) {
  const { queue, short_queue: short } = method.about;
  return [
    ...methodBody(whole, method),
    element("h4", {}, "Queue"),
    element("p", {}, code(queue), short ? " and " : "", short ? code(short) : ""),
    isOn ? callForm(whole, method) : "",
  ];
}

function socketBody(whole, method) {
  return [...methodBody(whole, method), element("h4", {}, "Path"), element("p", {}, code(method.about.path))];
}

function methodBody(whole, { params, args, result, errors }) {
  const rows = params.map(({ name, schema, required }) => {
    const fallback = schema.default === undefined ? "" : code(JSON.stringify(schema.default));
    return [code(name), code(typeText(schema)), required ? "yes" : "no", fallback, schema.description ?? ""];
  });
  const errorRows = errors.map(({ code: name, description, data }) => [code(name), description, fieldsText(data)]);
  return [
    ...(rows.length ? [element("h4", {}, "Arguments"), table(["name", "type", "required", "default", "about"], rows)] : []),
    ...(errorRows.length ? [element("h4", {}, "Errors"), table(["code", "about", "fields"], errorRows)] : []),
    schemas({ arguments: withDefinitions(whole, args), result: withDefinitions(whole, result) }),
  ];
}

function fieldsText(data) {
  return Object.entries(data?.properties ?? {}).map(([name, schema]) => `${name}: ${typeText(schema)}`).join(", ");
}

function listening({ about }) {
  const kind = about.kind === "service_pool" ? "" : ` (${about.kind ?? "dispatched"})`;
  return `${about.source}: ${about.event}${kind}`;
}

function handlerBody(whole, handler) {
  return [
    facts(handler),
    handler.payload === undefined ? "" : schemas({ payload: withDefinitions(whole, handler.payload) }),
    isOn ? eventForm(whole, handler) : "",
  ];
}

function dispatchedBody(whole, event) {
  return [event.payload === undefined ? "" : schemas({ payload: withDefinitions(whole, event.payload) })];
}

function consumerBody(whole, consumer) {
  return [facts(consumer), consumer.payload === undefined ? "" : schemas({ payload: withDefinitions(whole, consumer.payload) })];
}

/** How a handler's messages are worked. */
function facts({ about }) {
  const { retry, batch, exchange } = about;
  const attempts = retry.attempts === null ? "without end" : String(retry.attempts);
  const rows = [
    ["queue", code(about.queue)],
    exchange ? ["bound to", code(`${exchange.name} (${exchange.kind}) ${exchange.routing_key}`)] : null,
    ["attempts", `${attempts}, after ${duration(retry.first_ms)} to ${duration(retry.longest_ms)}`],
    about.concurrency ? ["at once", String(about.concurrency)] : null,
    batch ? ["batches", `of ${batch.size}, within ${duration(batch.within_ms)}`] : null,
    about.ordered_by ? ["ordered by", code(about.ordered_by)] : null,
    about.idempotent ? ["idempotent", idempotent(about.idempotent)] : null,
    about.timeout_ms ? ["timeout", duration(about.timeout_ms)] : null,
  ];
  const known = rows.filter((row) => row !== null);
  return element("dl", {}, ...known.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

/** Where what was handled is known, and how long. */
function idempotent({ store, window_ms }) {
  const known = store === "process" ? "in each process" : "in the database";
  return window_ms === null ? known : `${known}, for ${duration(window_ms)}`;
}

function schemas(byName) {
  const parts = Object.entries(byName).flatMap(([name, schema]) => [element("h4", {}, name), json(schema ?? true)]);
  return element("details", {}, element("summary", {}, "Schemas"), ...parts);
}

function timerEntry(timer) {
  const when = timer.cron === null ? `every ${duration(timer.every_ms)}` : `${timer.cron} ${timer.zone}`;
  const rest = [
    timer.eager ? "at the start as well" : "",
    timer.once_per === "fleet" ? "in one instance of all" : "",
    timer.timeout_ms ? `timeout ${duration(timer.timeout_ms)}` : "",
  ].filter(Boolean);
  const about = { id: `timer.${timer.service}.${timer.method}`, name: timer.method, ...timer };
  const body = rest.length ? element("p", {}, rest.join("; ")) : element("p", { class: "quiet" }, "In each instance.");
  return entry(about, when, [body]);
}

/** `90 s`, `5 min`, `24 h`: in the largest unit that leaves nothing over. */
function duration(ms) {
  const units = [["h", 3600000], ["min", 60000], ["s", 1000]];
  const [unit, size] = units.find(([, size]) => ms >= size && ms % size === 0) ?? ["ms", 1];
  return `${ms / size} ${unit}`;
}

// What asyncapi.json says of RPC, websockets, events and queues, as the page shows it.

import { resolve } from "./schema.js";

/** The operations whose names begin so, each with its messages, in the order of their services. */
function operations(whole, kind) {
  return Object.entries(whole.operations ?? {})
    .filter(([id]) => id.startsWith(`${kind}.`))
    .map(([id, operation]) => ({
      id,
      service: operation.tags?.[0]?.name ?? "",
      name: operation.title,
      summary: operation.summary ?? "",
      description: operation.description ?? "",
      channel: resolve(whole, operation.channel),
      payload: resolve(whole, operation.messages[0])?.payload,
      operation,
    }));
}

/** Each method with its parameters in order, what it gives, and its errors. */
export function methods(whole) {
  return operations(whole, "rpc").map((method) => ({
    ...called(whole, method, method.payload.properties.kwargs, "result"),
    about: method.operation["x-kinoko-rpc"],
  }));
}

/** The same of methods that the messages of a websocket fire. */
export function sockets(whole) {
  return operations(whole, "websocket").map((method) => ({
    ...called(whole, method, method.payload.properties.data, "data"),
    about: method.operation["x-kinoko-websocket"],
  }));
}

function called(whole, method, args, result) {
  const required = args.required ?? [];
  const params = args["x-kinoko-order"].map((name) => {
    const schema = args.properties[name];
    return { name, schema, required: required.includes(name), sensitive: schema["x-kinoko-sensitive"] === true };
  });
  const reply = resolve(whole, method.operation.reply.messages[0]).payload;
  const [ok, failed] = reply.oneOf.map((choice) => choice.properties);
  const errors = (failed.error.anyOf ?? []).filter((error) => error.title)
    .map((error) => ({ code: error.title, description: error.description ?? "", data: error.allOf?.[1]?.properties?.data }));
  return { ...method, args, params, result: ok[result], errors };
}

/** Each handler of events, with what it listens to. */
export function handlers(whole) {
  return operations(whole, "event").map((handler) => ({ ...handler, about: handler.operation["x-kinoko-handler"] }));
}

/** Each event that a service says it dispatches. */
export function dispatched(whole) {
  return operations(whole, "dispatch").map((event) => ({ ...event, about: event.operation["x-kinoko-dispatch"] }));
}

/** Each consumer of a queue. */
export function consumers(whole) {
  return operations(whole, "consume").map((consumer) => ({ ...consumer, about: consumer.operation["x-kinoko-handler"] }));
}

export function timers(whole) {
  return whole["x-kinoko-timers"] ?? [];
}

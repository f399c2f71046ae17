// What asyncapi.json says of RPC, events and queues, as the page shows it.

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
  return operations(whole, "rpc").map((method) => {
    const kwargs = method.payload.properties.kwargs;
    const required = kwargs.required ?? [];
    const params = kwargs["x-kinoko-order"].map((name) => {
      const schema = kwargs.properties[name];
      return { name, schema, required: required.includes(name), sensitive: schema["x-kinoko-sensitive"] === true };
    });
    const reply = resolve(whole, method.operation.reply.messages[0]).payload;
    const [ok, failed] = reply.oneOf.map((choice) => choice.properties);
    const errors = (failed.error.anyOf ?? []).filter((error) => error.title)
      .map((error) => ({ code: error.title, description: error.description ?? "", data: error.allOf?.[1]?.properties?.data }));
    return { ...method, params, result: ok.result, errors, about: method.operation["x-kinoko-rpc"] };
  });
}

/** Each handler of events, with what it listens to. */
export function handlers(whole) {
  return operations(whole, "event").map((handler) => ({ ...handler, about: handler.operation["x-kinoko-handler"] }));
}

/** Each consumer of a queue. */
export function consumers(whole) {
  return operations(whole, "consume").map((consumer) => ({ ...consumer, about: consumer.operation["x-kinoko-handler"] }));
}

export function timers(whole) {
  return whole["x-kinoko-timers"] ?? [];
}

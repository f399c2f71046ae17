// The forms that send a call or an event, in development mode.

import { element, json } from "./element.js";
import { sample } from "./schema.js";

const { sending, token } = document.body.dataset;

/** Whether the program takes what these forms send. */
export const isOn = sending === "true";

let fields = 0;

/** A field with its label. */
function field(label, name, attributes, text) {
  const id = `field-${++fields}`;
  const input = element(name, { id, ...attributes });
  input.value = text;
  return { input, row: element("label", { for: id }, label, input) };
}

function area(label, value) {
  const text = JSON.stringify(value, null, 2);
  return field(label, "textarea", { rows: Math.min(12, text.split("\n").length + 1), spellcheck: "false" }, text);
}

/** A token that the program was given is not in the page. */
function tokenField() {
  return token ? null : field("Token (the setting ops.token)", "input", { type: "password", autocomplete: "off" }, "");
}

/** The form of one method: a field of JSON for its arguments; what is sensitive has a field of its own. */
export function callForm(whole, method) {
  const open = method.params.filter((param) => !param.sensitive);
  const begin = open.filter((param) => param.required).map((param) => [param.name, sample(whole, param.schema)]);
  const args = area("Arguments (JSON, by name)", Object.fromEntries(begin));
  const secrets = method.params.filter((param) => param.sensitive)
    .map((param) => ({ param, ...field(param.name, "input", { type: "password", autocomplete: "off" }, "") }));
  return form("Call", [args, ...secrets], () => {
    const kwargs = parsed(args.input, "the arguments");
    for (const { param, input } of secrets) {
      if (input.value !== "") kwargs[param.name] = input.value;
    }
    return ["docs/send/rpc", { service: method.about.service, method: method.about.method, kwargs }];
  });
}

/** The form of one event. Its name can be changed: a handler may listen to a pattern. */
export function eventForm(whole, handler) {
  const name = field("Event", "input", { spellcheck: "false" }, handler.about.event);
  const payload = area("Payload (JSON)", sample(whole, handler.payload));
  return form("Dispatch", [name, payload], () => {
    const body = { source: handler.about.source, event: name.input.value, payload: parsed(payload.input, "the payload") };
    return ["docs/send/event", body];
  });
}

function parsed(input, what) {
  try {
    return JSON.parse(input.value);
  } catch (error) {
    input.focus();
    throw new Error(`${what}: no JSON: ${error.message}`);
  }
}

function form(label, rows, request) {
  const secret = tokenField();
  const button = element("button", { type: "submit" }, label);
  const answer = element("div", { class: "answer", "aria-live": "polite" });
  const form = element("form", { class: "send" }, ...rows.map(({ row }) => row), secret?.row, button, answer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const [path, body] = request();
      show(answer, await send(path, body, secret?.input.value ?? token));
    } catch (error) {
      show(answer, { failed: true, title: error.message });
    } finally {
      button.disabled = false;
    }
  });
  return form;
}

async function send(path, body, token) {
  const begun = performance.now();
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  const took = `${Math.round(performance.now() - begun)} ms`;
  if (!response.ok) return { failed: true, title: `${response.status}: ${answer.detail}` };
  if (answer.error) return { failed: true, title: `${answer.error.code ?? answer.error.type} after ${took}`, value: answer.error };
  if ("result" in answer) return { title: `Result after ${took}`, value: answer.result };
  return { title: answer.routed ? `Dispatched in ${took}` : `Dispatched in ${took}; nobody listens to it`, value: answer };
}

function show(answer, { title, value, failed = false }) {
  answer.className = `answer ${failed ? "bad" : "good"}`;
  answer.replaceChildren(element("h4", {}, title), ...(value === undefined ? [] : [json(value)]));
}

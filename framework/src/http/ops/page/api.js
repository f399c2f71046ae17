// What the page asks of the program, each time with the token.

// Kept for this tab alone, so that the page can be loaded again.
const KEPT = "kinoko.operations.token";

let token = document.body.dataset.token || sessionStorage.getItem(KEPT) || "";

/** What the program says when it does not do what it is asked. */
export class Refusal extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

export function hasToken() {
  return token !== "";
}

export function takeToken(text) {
  token = text.trim();
  sessionStorage.setItem(KEPT, token);
}

/** Of one that the program does not take nothing is left, but what came with the page. */
export function dropToken() {
  token = document.body.dataset.token;
  sessionStorage.removeItem(KEPT);
}

const headers = (more) => ({ authorization: `Bearer ${token}`, ...more });

async function refusal(response, path) {
  const answer = await response.json().catch(() => ({}));
  return new Refusal(response.status, answer.detail ?? `${path}: ${response.status}`);
}

export async function ask(path, method = "GET", body = undefined) {
  const isJson = body === undefined ? {} : { "content-type": "application/json" };
  const response = await fetch(path, { method, cache: "no-store", headers: headers(isJson), body: JSON.stringify(body) });
  if (!response.ok) throw await refusal(response, path);
  return response.json();
}

/**
 * Calls `see` with each event of a stream, until it ends. Not by an EventSource: that cannot bring the token, which must be in no
 * address.
 */
export async function follow(path, see, signal) {
  const response = await fetch(path, { cache: "no-store", headers: headers({ accept: "text/event-stream" }), signal });
  if (!response.ok) throw await refusal(response, path);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) if (event.startsWith("data: ")) see(JSON.parse(event.slice("data: ".length)));
  }
}

/** The path of one saga. */
export function pathOf({ saga, id }) {
  return `sagas/${encodeURIComponent(saga)}/${encodeURIComponent(id)}`;
}

/** The address of one saga within the page. */
export function addressOf({ saga, id }) {
  return `#${new URLSearchParams({ saga, id })}`;
}

/** The saga that the page's address names. */
export function addressed() {
  const named = new URLSearchParams(location.hash.slice(1));
  return named.has("saga") && named.has("id") ? { saga: named.get("saga"), id: named.get("id") } : null;
}

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

export async function ask(path, method = "GET") {
  const response = await fetch(path, { method, cache: "no-store", headers: { authorization: `Bearer ${token}` } });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(response.status, answer.detail ?? `${path}: ${response.status}`);
  return answer;
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

// What goes around calls: a card for each policy of this instance, and those of all instances on the broker.

import { Card, stateOf, wordOf } from "./card.js";
import { code, element } from "./element.js";
import { unheard } from "./live.js";
import { grid, number, quiet, replace } from "./words.js";

/** How many snapshots the line of a rate shows, which are two minutes. */
const MOST = 120;
/** What was seen before is of no use where nobody looked for so long, in milliseconds. */
const GAP = 5000;

const place = (id) => document.getElementById(id);
const keyOf = ({ service, name }) => JSON.stringify([service, name]);

const cards = new Map();
const rates = new Map();
let noted = 0;

/** Takes what a snapshot says, whatever section is shown. */
export function notePolicies({ at, policies }) {
  const now = Date.parse(at);
  if (now > noted + GAP) rates.clear();
  noted = now;
  for (const policy of policies) {
    const key = keyOf(policy);
    cards.get(key)?.note(policy);
    if (policy.recent) rates.set(key, [...(rates.get(key) ?? []), policy.recent.rate].slice(-MOST));
  }
}

/** How many circuits are not closed. */
export function openOf({ policies }) {
  return policies.filter((policy) => ["open", "half_open", "forced_open"].includes(stateOf(policy))).length;
}

export function showPolicies(snapshot, changed) {
  const policies = [...snapshot.policies].sort(worst);
  const busiest = [...rates.values()].flat().reduce((busiest, rate) => Math.max(busiest, rate), 1);
  const shown = policies.map((policy) => {
    const key = keyOf(policy);
    if (!cards.has(key)) cards.set(key, new Card(policy, changed));
    cards.get(key).show(policy, { rates: rates.get(key) ?? [], most: MOST, busiest });
    return cards.get(key).element;
  });
  arrange(place("cards"), policies.length > 0 ? shown : [none()]);
  replace(place("circuits"), unheard(snapshot) ?? circuits(snapshot.fleet.policies));
}

/** What is not well comes first. In steps, so that cards do not change places for every error. */
function worst(one, other) {
  return standing(one) - standing(other) || one.service.localeCompare(other.service) || one.name.localeCompare(other.name);
}

function standing(policy) {
  const state = stateOf(policy);
  if (state === "open" || state === "forced_open") return 0;
  if (state === "half_open") return 1;
  const share = policy.recent?.error_share ?? 0;
  return [0.5, 0.1].findIndex((step) => share >= step) + 1 || (share > 0 ? 3 : 4);
}

/** Puts elements in this order; one that has the focus keeps it. */
function arrange(place, elements) {
  if (elements.length === place.children.length && elements.every((element, at) => place.children[at] === element)) return;
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  place.replaceChildren(...elements);
  focused?.focus({ preventScroll: true });
}

function none() {
  return element("p", { class: "quiet" }, "No policy goes around any call here. Options of a client's field make one, such as ",
    code("#[dependency(timeout = \"2s\", breaker, bulkhead = 20)]"), "; so do a field of the type ", code("Policy"), " and ", code("#[policy(…)]"), " on a function.");
}

function circuits({ number: all, shown }) {
  if (all === 0) return quiet("None.");
  const rows = shown.map(({ service, name: policy, instances, states, calls, failed, refused, not_closed }) => {
    const { closed, forced_closed, half_open, open, forced_open } = states;
    const known = closed + forced_closed + half_open + open + forced_open > 0;
    const count = (value, bad) => number(known ? value : "", bad);
    return [
      code(service), code(policy), number(instances), count(closed + forced_closed), count(half_open, true), count(open + forced_open, true),
      number(calls), number(failed), number(refused), known ? not_closed.map(where).join("; ") : "no circuit breaker",
    ];
  });
  const headings = ["service", "policy", "instances#", "closed#", "half-open#", "open#", "calls#", "failed#", "refused#", "which are not closed"];
  const told = grid("Policies on the broker", headings, rows);
  return all > shown.length ? element("div", {}, told, quiet(`And ${all - shown.length} more policies.`)) : told;
}

function where({ state, program, host, pid, is_this }) {
  return `${wordOf(state)} in ${program} ${host ?? "?"}/${pid}${is_this ? " (this one)" : ""}`;
}

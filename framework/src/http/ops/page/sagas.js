// The lists: what is parked, and all sagas page by page.

import { addressOf, ask } from "./api.js";
import { code, element, table } from "./element.js";
import { moment as time } from "./words.js";

const PAGE = 50;
const LONGEST_PARKED = 200;

let offset = 0;

const place = (id) => document.getElementById(id);

/** Fills both lists. */
export async function showLists() {
  const query = new URLSearchParams({ limit: PAGE, offset });
  for (const [name, value] of new FormData(place("filter"))) {
    if (value.trim() !== "") query.set(name, value.trim());
  }
  const [parked, all] = await Promise.all([
    ask(`sagas?state=parked&limit=${LONGEST_PARKED}`),
    ask(`sagas?${query}`),
  ]);
  place("parked-title").textContent = `Parked: ${parked.sagas.length}${parked.more ? " and more" : ""}`;
  place("parked-list").replaceChildren(parkedTable(parked.sagas));
  place("list").replaceChildren(allTable(all.sagas));
  place("newer").disabled = offset === 0;
  place("older").disabled = !all.more;
  place("parked").hidden = false;
  place("all").hidden = false;
}

/** Moves by so many pages; 0 is back to the first. */
export function turn(pages) {
  offset = pages === 0 ? 0 : Math.max(0, offset + pages * PAGE);
}

function parkedTable(sagas) {
  if (sagas.length === 0) return element("p", { class: "quiet" }, "None.");
  const rows = sagas.map((saga) => [link(saga), saga.service, saga.step ? code(saga.step) : "", saga.parked.reason, time(saga.updated_at)]);
  return table(["saga", "service", "step", "why", "since"], rows);
}

function allTable(sagas) {
  if (sagas.length === 0) return element("p", { class: "quiet" }, "None.");
  const rows = sagas.map((saga) => [
    link(saga), saga.service, state(saga.state), saga.step ? code(saga.step) : "", time(saga.started_at), time(saga.updated_at),
  ]);
  return table(["saga", "service", "state", "step", "started", "changed"], rows);
}

function link(saga) {
  return element("a", { href: addressOf(saga) }, code(`${saga.saga}/${saga.id}`));
}

export function state(state) {
  return element("span", { class: `state ${state}` }, state);
}

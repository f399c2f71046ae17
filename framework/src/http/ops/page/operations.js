// Begins the page: asks for the token where it has none, then follows the program, and shows the section that the address names.

import { Refusal, addressed, dropToken, follow, hasToken, takeToken } from "./api.js";
import { lettersOf, showFailures, showLetters } from "./failures.js";
import { showNow } from "./live.js";
import { notePolicies, openOf, showPolicies } from "./policies.js";
import { showOne } from "./saga.js";
import { showLists, turn } from "./sagas.js";
import { showTrace, showTraces } from "./traces.js";
import { time } from "./words.js";

const place = (id) => document.getElementById(id);
const hasSagas = document.body.dataset.sagas === "true";

const LIVE = { now: showNow, policies: showPolicies, failures: showFailures, traces: showTraces, letters: showLetters };

/** How long after a lost connection to ask again, in milliseconds. */
const AGAIN = 2000;

let latest = null;
let paused = false;
let following = null;

/** The section that the page's address names. */
function section() {
  if (hasSagas && addressed() !== null) return "sagas";
  const name = location.hash.slice(1).split("=")[0];
  if (name === "trace") return "traces";
  return name in LIVE || (hasSagas && name === "sagas") ? name : "now";
}

function complain(error) {
  place("problem").textContent = error.message;
  place("problem").hidden = false;
  if (error instanceof Refusal && error.status === 401) {
    dropToken();
    askForToken();
  }
}

function askForToken() {
  stop();
  for (const tab of document.querySelectorAll(".tab, #tabs, #looking")) tab.hidden = true;
  place("token").hidden = false;
  place("token-text").focus();
}

/** Shows the section that the address names, and what it asks the program for by itself. */
async function show() {
  if (!hasToken()) return;
  const shown = section();
  for (const tab of document.querySelectorAll(".tab")) tab.hidden = tab.id !== shown;
  for (const link of place("tabs").children) {
    if (link.hash === `#${shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  place("sagas-tab").hidden = !hasSagas;
  place("tabs").hidden = false;
  place("looking").hidden = false;
  if (latest !== null) LIVE[shown]?.(latest, changed);
  if (shown === "sagas") await Promise.all([showOne(changed), showLists()]);
  if (shown === "traces") await showTrace(new URLSearchParams(location.hash.slice(1)).get("trace"));
}

/** Does something, and shows the section anew. */
async function changed(something = async () => {}) {
  place("problem").hidden = true;
  try {
    await something();
  } catch (error) {
    complain(error);
  }
  await show().catch(complain);
}

function see(snapshot) {
  latest = snapshot;
  notePolicies(snapshot);
  const { status, phase } = snapshot.health;
  place("standing").textContent = phase === "running" ? status : phase;
  place("standing").className = `state ${status === "ready" ? "good" : "bad"}`;
  if (paused) return;
  place("seen").replaceChildren("as of ", time(snapshot.at));
  place("failures-number").textContent = snapshot.failures.length > 0 ? `(${snapshot.failures.length})` : "";
  const open = openOf(snapshot);
  place("policies-number").textContent = open > 0 ? `(${open} not closed)` : "";
  const letters = lettersOf(snapshot);
  place("letters-number").textContent = letters > 0 ? `(${letters})` : "";
  LIVE[section()]?.(snapshot, changed);
}

function stop() {
  following?.abort();
  following = null;
}

/** Follows the program for as long as somebody looks, again where the connection is lost. */
async function look() {
  stop();
  const mine = new AbortController();
  following = mine;
  while (following === mine) {
    try {
      await follow("operations/live", see, mine.signal);
      place("standing").textContent = "gone";
    } catch (error) {
      if (mine.signal.aborted) return;
      if (error instanceof Refusal && error.status < 500) return complain(error);
      place("standing").textContent = error instanceof Refusal ? error.message : "not reachable";
    }
    place("standing").className = "state bad";
    await new Promise((resolve) => setTimeout(resolve, AGAIN));
  }
}

function begin() {
  place("token").hidden = true;
  changed();
  look();
}

place("token").addEventListener("submit", (event) => {
  event.preventDefault();
  takeToken(place("token-text").value);
  place("token-text").value = "";
  begin();
});
place("filter").addEventListener("submit", (event) => {
  event.preventDefault();
  turn(0);
  changed();
});
for (const [id, pages] of [["newer", -1], ["older", 1]]) {
  place(id).addEventListener("click", () => {
    turn(pages);
    changed();
  });
}
place("pause").addEventListener("click", () => {
  paused = !paused;
  place("pause").setAttribute("aria-pressed", String(paused));
  if (!paused && latest !== null) see(latest);
});
// Who does not look costs nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) stop();
  else if (hasToken()) look();
});
addEventListener("hashchange", () => {
  if (hasToken()) changed();
});

if (hasToken()) begin();
else askForToken();

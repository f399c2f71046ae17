// One saga: how it stands, what happened, and what may be asked of it.

import { addressed, ask, pathOf } from "./api.js";
import { confirmed } from "./dialog.js";
import { code, element, table } from "./element.js";
import { state } from "./sagas.js";
import { moment as time } from "./words.js";

const ASKS = {
  retry: { label: "Retry", text: (saga) => `Try again what ${name(saga)} is parked at, with all its attempts?` },
  skip: {
    label: "Skip",
    text: (saga) => `Leave out the compensation of ${saga.step}? Only if somebody did by hand what it would do: nobody runs it any more.`,
  },
  cancel: {
    label: "Cancel",
    text: (saga) => `Send ${name(saga)} back? What it did is taken back, unless its pivot is done by then.`,
  },
};

/** After something was asked of a saga: when to look whether it was done, in milliseconds. */
const LOOKS = [200, 500, 1000, 2000, 4000, 8000];

const place = (id) => document.getElementById(id);
const name = (saga) => `${saga.saga}/${saga.id}`;

/** Shows the saga that the page's address names, if it does. Gives how it stands. */
export async function showOne(changed) {
  const wanted = addressed();
  place("one").hidden = wanted === null;
  if (wanted === null) return null;
  const saga = await ask(pathOf(wanted)).catch((error) => {
    place("one").hidden = true;
    throw error;
  });
  // Somebody may have gone on to another one meanwhile.
  const now = addressed();
  if (now === null || name(now) !== name(wanted)) return null;
  place("one-title").textContent = name(saga);
  place("one-content").replaceChildren(
    facts(saga),
    buttons(saga, changed),
    element("h3", {}, "Steps"),
    steps(saga),
    element("h3", {}, "Timeline"),
    timeline(saga),
  );
  return saga;
}

function facts(saga) {
  const { failure, parked } = saga;
  const rows = [
    ["state", state(saga.state)],
    parked ? ["parked", parked.reason] : null,
    failure ? ["goes back", `${failure.reason}${failure.step ? ` in ${failure.step}` : ""}: ${failure.error}`] : null,
    ["service", `${saga.service}, version ${saga.version} of the saga`],
    ["started", time(saga.started_at)],
    ["changed", time(saga.updated_at)],
    saga.owner ? ["runs in", code(saga.owner)] : null,
    saga.signals.length ? ["signals", saga.signals.map((signal) => `${signal.name}${signal.taken ? "" : " (waits)"}`).join(", ")] : null,
  ];
  const known = rows.filter((row) => row !== null);
  return element("dl", {}, ...known.flatMap(([key, value]) => [element("dt", {}, key), element("dd", {}, value)]));
}

function buttons(saga, changed) {
  const close = element("a", { href: "#sagas" }, "Close");
  const asks = saga.asks.map((what) => {
    const button = element("button", { type: "button" }, ASKS[what].label);
    button.addEventListener("click", () => act(saga, what, changed));
    return button;
  });
  return element("p", { class: "pages" }, ...asks, close);
}

async function act(saga, what, changed) {
  const { label, text } = ASKS[what];
  if (!await confirmed(text(saga), label)) return;
  await changed(async () => {
    await ask(`${pathOf(saga)}/${what}`, "POST");
    for (const wait of LOOKS) {
      await new Promise((resolve) => setTimeout(resolve, wait));
      const now = await ask(pathOf(saga));
      if (now.timeline.length > saga.timeline.length) return;
    }
  });
}

function steps(saga) {
  const rows = saga.steps.map((step) => [
    code(step.name), step.unknown ? `${step.state}, may have happened` : step.state, String(step.attempts), String(step.compensations), step.error ?? "",
  ]);
  return table(["step", "state", "attempts", "compensations", "last error"], rows);
}

function timeline(saga) {
  const rows = saga.timeline.map((entry) => [
    String(entry.number), time(entry.at), entry.what.replaceAll("_", " "), entry.step ? code(entry.step) : "", entry.attempt ? String(entry.attempt) : "",
    entry.detail ?? "",
  ]);
  return table(["", "when", "what", "step", "attempt", "more"], rows);
}

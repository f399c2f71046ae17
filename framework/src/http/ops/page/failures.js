// What failed last, and what waits as a dead letter.

import { code, element } from "./element.js";
import { grid, number, quiet, replace, time } from "./words.js";

const place = (id) => document.getElementById(id);

export function showFailures({ failures }) {
  const rows = failures.map((failure) => [
    time(failure.at), code(`${failure.service}.${failure.method}`), failure.kind, failure.outcome.replaceAll("_", " "), failure.text,
    code(failure.call_id), failure.trace_id ? element("a", { href: `#trace=${failure.trace_id}` }, "trace") : "",
  ]);
  replace(place("failures-list"), failures.length === 0 ? quiet("None since the start.")
    : grid("Last failures", ["when", "method", "by", "how", "error", "call id", ""], rows));
}

export function showLetters({ dead_letters }) {
  replace(place("letters-list"), ...letters(dead_letters));
}

/** How many there are. */
export function lettersOf({ dead_letters }) {
  return (dead_letters?.queues ?? []).reduce((sum, queue) => sum + queue.letters, 0);
}

function letters(dead) {
  if (dead === null) return [quiet("Asking.")];
  if (dead.problem) return [quiet(dead.problem)];
  if (dead.queues.length === 0) return [quiet("No service here handles events or queues.")];
  const rows = dead.queues.map((queue) => [code(`${queue.service}.${queue.method}`), number(queue.letters, true), code(queue.queue)]);
  return [
    grid("Dead letters", ["method", "letters#", "queue"], rows),
    element("p", { class: "quiet" }, "In a program, ", code("app.dead_letters()"), " lists them with their errors, replays and discards them."),
  ];
}

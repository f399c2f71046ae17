// What happens now: the program, its entrypoints, its calls, and who else is on the broker.

import { element } from "./element.js";
import { age, grid, name, number, quiet, replace, span } from "./words.js";

const place = (id) => document.getElementById(id);

export function showNow(snapshot) {
  replace(place("program"), facts(snapshot), services(snapshot));
  replace(place("entrypoints"), entrypoints(snapshot.entrypoints));
  replace(place("calls"), calls(snapshot.calls));
  replace(place("fleet"), unheard(snapshot) ?? instances(snapshot));
}

function facts({ program, health, published, pending_calls, reconnects }) {
  const rows = [
    ["version", `${program.version ?? "none given"} (kinoko ${program.kinoko}), ${program.mode}`],
    ["broker", `${health.broker.address}: ${health.broker.state}${reconnects > 0 ? `, connected again ${reconnects} times` : ""}`],
    health.reasons.length > 0 ? ["not ready", health.reasons.join("; ")] : null,
    ["sent", `${published.confirmed} messages confirmed, ${published.unrouted} to nobody, ${published.failed} failed`],
    ["calls that wait", String(pending_calls)],
  ];
  const known = rows.filter((row) => row !== null);
  return element("dl", {}, ...known.flatMap(([key, value]) => [element("dt", {}, key), element("dd", {}, value)]));
}

function services({ services, health }) {
  const rows = services.map((service) => {
    const { ready, consumers, dependencies } = health.services.find((other) => other.name === service.name);
    const reasons = [...consumers, ...dependencies].filter((part) => !part.ready).map((part) => part.reason);
    return [name(service.name), number(`${service.busy_workers} of ${service.max_workers}`), ready ? "ready" : { text: `not ready: ${reasons.join("; ")}`, class: "bad" }];
  });
  return grid("Services", ["service", "busy workers#", "state"], rows);
}

const total = (ended) => Object.values(ended).reduce((sum, count) => sum + count, 0);
const errors = (ended) => ended.expected_error + ended.rejected;
const failed = (ended) => ended.unexpected_error + ended.timeout;

/** What both tables have: since the start, and of the last seconds. */
function counted({ ended, in_flight, duration, recent }) {
  const lately = recent?.p50_seconds === null || recent === undefined ? duration : recent;
  return [
    number(recent ? recent.rate.toFixed(1) : ""), number(total(ended)), number(errors(ended)), number(failed(ended), true),
    number(in_flight), number(span(lately.p50_seconds)), number(span(lately.p99_seconds)),
  ];
}

const COUNTED = ["per second#", "total#", "errors#", "failed#", "running#", "p50#", "p99#"];

function entrypoints(entrypoints) {
  if (entrypoints.length === 0) return quiet("None.");
  const rows = entrypoints.map((entrypoint) => [
    name(entrypoint.service), entrypoint.kind, { text: entrypoint.route ? entrypoint.route.join(" ") : entrypoint.method, class: "name" },
    ...counted(entrypoint), number(span(entrypoint.queue_wait.p99_seconds)), number(entrypoint.retries), number(entrypoint.dead_letters, true),
  ]);
  return grid("Entrypoints", ["service", "by", "method", ...COUNTED, "waited p99#", "retries#", "dead#"], rows);
}

function calls(calls) {
  const made = calls.filter((call) => total(call.ended) + call.in_flight > 0);
  if (made.length === 0) return quiet("None.");
  return grid("Calls to services", ["service", "method", ...COUNTED], made.map((call) => [name(call.service), call.method, ...counted(call)]));
}

/** Why there is nothing to show of other programs; nothing where there is. */
export function unheard({ fleet, fleet_is_known }) {
  if (!fleet_is_known) return quiet("Not known: discovery is off (discovery.broker), or the broker does not permit it; the log says why.");
  if (fleet === null) return quiet("Asking.");
  return fleet.problem ? quiet(fleet.problem) : null;
}

function instances({ fleet }) {
  const rows = fleet.instances.flatMap((one) => one.services.map((service) => [
    name(service.name), `${one.program} ${one.version ?? ""}${one.is_this ? " (this one)" : ""}`, `${one.host ?? "?"}/${one.pid}`, age(one.uptime_ms),
    number(`${service.busy_workers} of ${service.max_workers}`), number(service.total), number(service.failed, true), one.ready ? "ready" : { text: "not ready", class: "bad" },
  ]));
  rows.sort((one, other) => one[0].text.textContent.localeCompare(other[0].text.textContent));
  const more = fleet.number - fleet.instances.length;
  const table = grid("Instances on the broker", ["service", "program", "host/process", "up", "busy workers#", "total#", "failed#", "state"], rows);
  return more > 0 ? element("div", {}, table, quiet(`And ${more} more programs.`)) : table;
}

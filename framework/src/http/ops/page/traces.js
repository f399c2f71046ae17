// The last traces of this process, and one of them as a waterfall.

import { ask } from "./api.js";
import { code, element } from "./element.js";
import { grid, number, quiet, replace, span, time } from "./words.js";

const place = (id) => document.getElementById(id);

export function showTraces({ traces }) {
  const rows = traces.map((trace) => [
    time(trace.started), element("a", { href: `#trace=${trace.trace_id}` }, trace.name), number(span(trace.duration_ms / 1000)), number(trace.spans),
    trace.failed ? { text: "failed", class: "bad" } : "",
  ]);
  replace(place("traces-list"), traces.length === 0 ? quiet("None are kept. The setting traces.sample says how many are recorded.")
    : grid("Last traces", ["began", "what", "took#", "spans#", ""], rows));
}

/** Shows the trace that the page's address names, or none. */
export async function showTrace(id) {
  place("trace").hidden = id === null;
  if (id === null) return;
  const trace = await ask(`operations/traces/${encodeURIComponent(id)}`).catch((error) => {
    place("trace").hidden = true;
    throw error;
  });
  place("trace-title").textContent = trace.name;
  const rows = trace.spans.map((one) => [nested(one), one.what, number(span(one.duration_ms / 1000)), ended(one), { text: lane(one, trace), class: "lane-cell" }]);
  place("trace-content").replaceChildren(
    element("dl", {}, element("dt", {}, "trace id"), element("dd", {}, code(trace.trace_id)), element("dt", {}, "began"), element("dd", {}, time(trace.started)),
      element("dt", {}, "took"), element("dd", {}, span(trace.duration_ms / 1000))),
    grid("Spans", ["what", "by", "took#", "how", "when"], rows),
    element("p", { class: "quiet" }, "What other processes did within it is in theirs. "),
    element("p", { class: "pages" }, element("a", { href: "#traces" }, "Close")),
  );
  place("trace").scrollIntoView({ block: "nearest" });
}

function nested(one) {
  const call = one.call_id ? element("small", { class: "quiet" }, ` ${one.call_id}`) : null;
  const name = element("span", {}, one.name, call);
  name.style.setProperty("padding-left", `${Math.min(one.depth, 20)}rem`);
  return name;
}

function ended(one) {
  const parts = [one.ended.replaceAll("_", " "), one.error, one.status, one.attempt > 1 ? `attempt ${one.attempt}` : null];
  const text = parts.filter((part) => part !== null && part !== undefined).join(", ");
  return one.failed ? { text, class: "bad" } : text;
}

/** Where it lies within the trace; the numbers beside it say the same. */
function lane(one, trace) {
  const whole = Math.max(trace.duration_ms, 0.001);
  const bar = element("span", { class: one.failed ? "failed" : undefined });
  bar.style.setProperty("left", `${Math.min((one.offset_ms / whole) * 100, 99.5)}%`);
  bar.style.setProperty("width", `${Math.min((one.duration_ms / whole) * 100, 100)}%`);
  return element("div", { class: "lane", title: `after ${span(one.offset_ms / 1000)}` }, bar);
}

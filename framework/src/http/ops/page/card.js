// One policy: its circuit, what calls under it came to, and the buttons that force the circuit.

import { ask } from "./api.js";
import { Chart } from "./chart.js";
import { confirmed } from "./dialog.js";
import { code, element, table } from "./element.js";
import { span } from "./words.js";

const STATES = {
  closed: "closed", open: "open", half_open: "half-open", forced_open: "forced open", forced_closed: "forced closed", none: "no circuit breaker",
};
const LOOKS = { closed: "good", open: "bad", forced_open: "bad", half_open: "doubtful", forced_closed: "doubtful" };

const FORCES = [
  { circuit: "open", label: "Force open", text: (name) => `Refuse every call under ${name} in this instance, until its circuit is left to itself?` },
  { circuit: "closed", label: "Force closed", text: (name) => `Let every call under ${name} through in this instance, until its circuit is left to itself?` },
  { circuit: "automatic", label: "Leave to itself", text: (name) => `Let the circuit of ${name} open and close by itself again? It begins closed.` },
];

export function stateOf(policy) {
  return policy.circuit?.state ?? "none";
}

/** A state as people say it. */
export function wordOf(state) {
  return STATES[state] ?? state.replaceAll("_", " ");
}

/** Changed in its place and not made anew: a button that is pressed, or has the focus, stays the same. */
export class Card {
  constructor({ service, name, circuit }, changed) {
    [this.service, this.name, this.changed] = [service, name, changed];
    this.chart = new Chart();
    this.state = element("span", { class: "state" });
    this.rate = element("span", { class: "rate" });
    this.errors = element("span", { class: "errors" });
    this.counted = element("div", { class: "counted" });
    this.buttons = FORCES.map((force) => {
      const button = element("button", { type: "button" }, force.label);
      button.addEventListener("click", () => this.force(force));
      return button;
    });
    this.forces = element("p", { class: "pages", role: "group", "aria-label": `Circuit of ${name}` }, ...this.buttons);
    this.element = element("article", { class: "card", "aria-label": `${service} ${name}` },
      element("header", {}, element("h3", {}, code(name)), this.state),
      element("p", { class: "quiet" }, service),
      this.chart.element,
      element("p", { class: "lately" }, this.rate, " ", this.errors),
      this.counted,
      this.forces);
  }

  /** What the last snapshot says of it, shown or not. */
  note(policy) {
    this.policy = policy;
  }

  show(policy, chart) {
    this.note(policy);
    const state = stateOf(policy);
    this.element.dataset.state = state;
    this.state.textContent = wordOf(state);
    this.state.className = `state ${LOOKS[state] ?? "quiet"}`;
    const { rate = 0, error_share: share = 0 } = policy.recent ?? {};
    this.rate.textContent = `${rate.toFixed(1)} per second`;
    this.errors.textContent = `${Math.round(share * 100)} % errors`;
    this.errors.className = share > 0 ? "errors bad" : "errors";
    this.chart.show({ ...chart, rate, share });
    this.counted.replaceChildren(counts(policy), facts(policy));
    this.forces.hidden = policy.circuit === null;
    const circuit = state.startsWith("forced_") ? state.slice("forced_".length) : "automatic";
    FORCES.forEach((force, place) => this.buttons[place].setAttribute("aria-pressed", String(force.circuit === circuit)));
  }

  async force({ circuit, label, text }) {
    if (!await confirmed(text(`${this.name} of ${this.service}`), label)) return;
    await this.changed(async () => {
      const path = `policies/${encodeURIComponent(this.service)}/${encodeURIComponent(this.name)}`;
      const told = await ask(path, "PUT", { circuit });
      // Newer than the last snapshot.
      Object.assign(this.policy, told);
    });
  }
}

/** What calls came to lately, and since the start. */
function counts(policy) {
  const { recent } = policy;
  const row = (label, of, write = count) => [label, recent ? write(of(recent)) : "", write(of(policy))];
  const calls = (label, outcome) => row(label, ({ calls }) => calls[outcome]);
  const rows = [
    calls("success", "success"), calls("failure", "failure"), calls("timeout", "timeout"), calls("circuit open", "circuit_open"),
    calls("bulkhead full", "bulkhead_full"), calls("rate limited", "rate_limited"),
    row("retries", ({ repeated }) => repeated), row("fallbacks", ({ fallbacks }) => fallbacks.ok + fallbacks.failed),
    row("p50", (of) => of.p50_seconds, span), row("p99", (of) => of.p99_seconds, span),
  ];
  return table(["", recent ? `last ${Math.round(recent.seconds)} s` : "lately", "since start"], rows);
}

/** What is none stands back. */
function count(number) {
  return number === 0 ? element("span", { class: "quiet" }, "0") : String(number);
}

function facts({ circuit, bulkhead, in_flight }) {
  const { calls, failed, slow, opened } = circuit ?? {};
  const texts = [
    circuit ? `in its window ${failed} of ${calls} failed${slow > 0 ? `, ${slow} were slow` : ""}; opened ${opened === 1 ? "once" : `${opened} times`}` : null,
    bulkhead ? `bulkhead: ${bulkhead.busy} of ${bulkhead.concurrency} busy, ${bulkhead.waiting} wait` : `${in_flight} under way`,
  ];
  return element("ul", { class: "quiet" }, ...texts.filter((text) => text !== null).map((text) => element("li", {}, text)));
}

// How numbers and times are written, and tables of them.

import { element } from "./element.js";

/** `850 µs`, `12.3 ms`, `1.20 s`; nothing where there is nothing. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toFixed(1)} ms`;
  return `${seconds.toFixed(2)} s`;
}

/** `3 d 4 h`: the two largest units. */
export function age(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} m`;
  return minutes > 0 ? `${minutes} m ${seconds % 60} s` : `${seconds} s`;
}

/** A time of the program, in UTC, to the second. */
export function time(text) {
  return element("time", { datetime: text }, text.replace("T", " ").replace(/\.\d+Z$/, "Z"));
}

/** The same as the program writes it. */
export function moment(text) {
  return element("time", { datetime: text }, text.replace("T", " "));
}

export function quiet(text) {
  return element("p", { class: "quiet" }, text);
}

/** A cell that is the name of something, which is not broken. */
export function name(text) {
  return { text: element("code", {}, text), class: "name" };
}

/** A cell that is a number; `bad` where it should be none. */
export function number(value, bad = false) {
  return { text: String(value), class: bad && Number(value) > 0 ? "number bad" : "number" };
}

/** A table. A heading that ends with `#` is one of numbers; a cell is a text, an element, or a text with a class. */
export function grid(caption, headings, rows) {
  const numbers = headings.map((heading) => heading.endsWith("#"));
  const head = headings.map((heading, place) =>
    element("th", { scope: "col", class: numbers[place] ? "number" : undefined }, heading.replace(/#$/, "")));
  const body = rows.map((cells) => element("tr", {}, ...cells.map(cell)));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
}

function cell(content) {
  const isPlain = content === null || typeof content !== "object" || content instanceof Node;
  return isPlain ? element("td", {}, content) : element("td", { class: content.class }, content.text);
}

/** Puts something else in its place; the focus stays on the same link, and what was scrolled where it was. */
export function replace(place, ...content) {
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  const href = focused?.getAttribute("href");
  const region = focused?.getAttribute("role") === "region" ? focused.getAttribute("aria-label") : null;
  const regions = () => [...place.querySelectorAll("[role=region]")];
  const scrolled = new Map(regions().map((one) => [one.getAttribute("aria-label"), one.scrollLeft]));
  place.replaceChildren(...content);
  for (const one of regions()) one.scrollLeft = scrolled.get(one.getAttribute("aria-label")) ?? 0;
  const again = href ? [...place.querySelectorAll("a")].find((one) => one.getAttribute("href") === href)
    : regions().find((one) => region !== null && one.getAttribute("aria-label") === region);
  again?.focus({ preventScroll: true });
}

// Elements of the page. Text is always text here: nothing that a document or a reply says becomes HTML.

/** An element with these attributes and children; a child is an element, a text, or nothing. */
export function element(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined && value !== null) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** A table with a heading for each column. */
export function table(headings, rows) {
  const head = element("tr", {}, ...headings.map((heading) => element("th", { scope: "col" }, heading)));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell) => element("td", {}, cell))));
  return element("div", { class: "scroll" },
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...body)));
}

/** A value as JSON. */
export function json(value) {
  return element("pre", { tabindex: "0" }, JSON.stringify(value, null, 2));
}

export function code(text) {
  return element("code", {}, text);
}

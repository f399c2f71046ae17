// The circle of a policy, whose area is the rate and whose colour the share of errors, and the rate of the last minutes beside it, as on
// Hystrix' dashboard. The card says the same in words.

const SVG = "http://www.w3.org/2000/svg";

const [WIDTH, HEIGHT] = [240, 72];
const LARGEST = 34;
/** What nothing runs through is still to be seen. */
const SMALLEST = 3;
/** The share of errors that is amber, and the one from which on it is red. */
const [SOME, MOST] = [0.1, 0.5];
const LINE = { left: 84, top: 6, bottom: 66 };

function svg(name, attributes, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export class Chart {
  constructor() {
    this.circle = svg("circle", { cx: LARGEST + 2, cy: HEIGHT / 2, r: SMALLEST, class: "circle" });
    this.line = svg("polyline", { class: "line" });
    const ground = svg("line", { x1: LINE.left, x2: WIDTH, y1: LINE.bottom, y2: LINE.bottom, class: "ground" });
    this.element = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "chart", "aria-hidden": "true" }, ground, this.line, this.circle);
  }

  /** `busiest` is the rate of the largest circle; `rates` are the last ones, of at most `most`. */
  show({ rate, share, rates, most, busiest }) {
    const size = LARGEST * Math.sqrt(Math.min(rate / busiest, 1));
    this.circle.setAttribute("r", Math.max(size, SMALLEST).toFixed(1));
    this.circle.classList.toggle("idle", rate === 0);
    this.circle.classList.toggle("many", share > SOME);
    const part = share > SOME ? (share - SOME) / (MOST - SOME) : share / SOME;
    this.circle.style.setProperty("--part", `${Math.round(Math.min(part, 1) * 100)}%`);
    const highest = rates.reduce((highest, rate) => Math.max(highest, rate), 1);
    const [step, first] = [(WIDTH - LINE.left) / (most - 1), most - rates.length];
    const points = rates.map((rate, place) => {
      const [x, y] = [LINE.left + (first + place) * step, LINE.bottom - (rate / highest) * (LINE.bottom - LINE.top)];
      return `${x.toFixed(1)},${y.toFixed(1)}`;
    });
    this.line.setAttribute("points", points.join(" "));
  }
}

/** Small DOM builders. Data only ever enters the page as text, never as markup. */

import { exact } from "./words.js";
import { time } from "./state.js";

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  check: "M3 8.5 6.5 12 13 4.5",
  warn: "M8 2 14.5 13.5h-13zM8 6.5v3.2M8 11.7v.1",
  ring: "M8 3a5 5 0 1 1 0 10A5 5 0 1 1 8 3",
};

export const $ = (id) => document.getElementById(id);

/** An element with attributes and children; null ones are left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = value;
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** A row of a `dl`. */
export const fact = (name, text) => [el("dt", { text: name }), el("dd", { text, dir: "auto", "data-fact": name })];

/** A relative time, written by the page's clock, with the exact one on hover. */
export function timeNode(iso) {
  return time(iso) === null ? null : el("time", { datetime: iso, title: exact(time(iso)) });
}

/** Writes only what differs: selections and screen readers are left in peace. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Fills a node with `make(data, node)`, unless it shows the same data already. */
export function once(node, data, make) {
  const key = JSON.stringify(data ?? null);
  if (node.drawn === key) return;
  node.drawn = key;
  node.replaceChildren(...(data ? make(data, node) : []).filter((child) => child !== null));
}

/** Draws, and gives the focus back to the control that had it, or to what took its place. */
export function keepFocus(node, draw) {
  const controls = () => [...node.querySelectorAll("a, button, summary, [tabindex]")];
  const focused = document.activeElement;
  const at = controls().indexOf(focused);
  draw();
  if (at < 0 || document.activeElement === focused) return;
  (focused.isConnected ? focused : controls()[Math.min(at, controls().length - 1)])?.focus();
}

export function replay(node, animation) {
  node.classList.remove(animation);
  void node.offsetWidth; // Only a reflow in between starts it again.
  node.classList.add(animation);
}

/** A button that copies `read()` and says so. */
export function copyButton(read, attributes) {
  const button = el("button", { class: "quiet copy", ...attributes, text: "Copy" });
  let timer = 0;
  button.addEventListener("click", async () => {
    const done = await copy(read());
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    clearTimeout(timer);
    timer = setTimeout(() => (button.textContent = "Copy"), 1_600);
  });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text); // Plain HTTP in a LAN has no clipboard API.
  }
}

function copyBySelection(text) {
  const before = document.activeElement;
  const area = el("textarea", { class: "offscreen", text });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  before?.focus();
  return done;
}

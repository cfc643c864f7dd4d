/** Small DOM builders. Data only ever enters a page as text, never as markup. */

import { time } from "../core/format.js";

/** @import { Words } from "../core/words.js" */
/** @typedef {Node | string | null} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Attributes */

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  check: "M3 8.5 6.5 12 13 4.5",
  warn: "M8 2 14.5 13.5h-13zM8 6.5v3.2M8 11.7v.1",
  ring: "M8 3a5 5 0 1 1 0 10A5 5 0 1 1 8 3",
};

/**
 * The part of an element that has a class.
 *
 * @template {Element} [E=HTMLElement]
 * @param {ParentNode} root
 * @param {string} name
 * @param {new () => E} [kind]
 * @returns {E}
 * @throws {Error} where the markup is not what its element expects
 */
export function part(root, name, kind) {
  const found = root.querySelector(`.${name}`);
  if (!(found instanceof (kind ?? HTMLElement))) throw new Error(`There is no .${name}`);
  return /** @type {E} */ (found);
}

/**
 * An element with attributes and children; null ones are left out.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes] `text` is its content
 * @param {(Child | Child[])[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = String(value);
    else if (value !== null && value !== undefined) node.setAttribute(name, String(value));
  }
  node.append(...present(children.flat()));
  return node;
}

/** @template T @param {(T | null)[]} items @returns {T[]} */
const present = (items) => /** @type {T[]} */ (items.filter((item) => item !== null));

/** @param {keyof typeof ICONS} name */
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

/**
 * A row of a `dl`.
 *
 * @param {string} label
 * @param {string | Node} text
 * @param {string} name
 */
export const fact = (label, text, name) => [
  el("dt", { text: label }),
  el("dd", { dir: "auto", "data-fact": name }, text),
];

/**
 * A time, written by the page's clock: how long ago, and when; with the date on hover.
 *
 * @param {Words} words
 * @param {string | null | undefined} iso
 */
export function timeNode(words, iso) {
  const at = time(iso);
  return at === null ? null : el("time", { datetime: iso, title: words.exact(at) });
}

/**
 * Writes all times below a node.
 *
 * @param {Element} root
 * @param {Words} words
 * @param {number} clock the server's time, in ms
 */
export function drawTimes(root, words, clock) {
  for (const node of root.querySelectorAll("time")) setText(node, words.moment(time(node.dateTime) ?? clock, clock));
}

/**
 * Writes only what differs: selections and screen readers are left in peace.
 *
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** What a node shows is kept with the node, so that the same is not drawn twice. */
const DRAWN = Symbol("drawn");

/**
 * Fills a node with `make()`, unless it shows the same data already.
 *
 * @param {Element} node
 * @param {unknown} data
 * @param {() => Child[]} make
 */
export function once(node, data, make) {
  const key = JSON.stringify(data ?? null);
  const memory = /** @type {Element & { [DRAWN]?: string }} */ (node);
  if (memory[DRAWN] === key) return;
  memory[DRAWN] = key;
  node.replaceChildren(...present(make()));
}

/**
 * Draws, and gives the focus back to the control that had it, or to what took its place.
 *
 * @param {Element} node
 * @param {() => void} draw
 */
export function keepFocus(node, draw) {
  const controls = () => /** @type {HTMLElement[]} */ ([...node.querySelectorAll("a, button, summary, [tabindex]")]);
  const focused = /** @type {HTMLElement} */ (document.activeElement);
  const at = controls().indexOf(focused);
  draw();
  if (at < 0 || document.activeElement === focused) return;
  (focused.isConnected ? focused : controls()[Math.min(at, controls().length - 1)])?.focus();
}

/**
 * Another view takes the place of the one before: shown anew, so that nothing of it counts as having moved.
 *
 * @param {HTMLElement} node
 */
export function renew(node) {
  node.hidden = true;
  void node.offsetWidth; // Only a reflow in between makes it new. The focus stays: it is looked after once per frame.
  node.hidden = false;
}

/** @param {HTMLElement} node @param {string} animation the class that starts it */
export function replay(node, animation) {
  node.classList.remove(animation);
  void node.offsetWidth; // Only a reflow in between starts it again.
  node.classList.add(animation);
}

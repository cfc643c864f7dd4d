/** The tab's title and icon: a background tab tells how far the project is. */

import { el } from "../elements/dom.js";

/** @import { Stage } from "../core/types.js" */

const PAINT = { hollow: 'fill="none" stroke="#6d76f0" stroke-width="5"', filled: 'fill="#6d76f0"' };

/**
 * @param {string} title
 * @param {Stage} stage
 * @param {string} glyph the shape of the stage, as on the page
 */
export function drawTab(title, stage, glyph) {
  document.title = title;
  const before = /** @type {HTMLElement | null} */ (document.querySelector("link[rel=icon]"));
  if (before?.dataset.icon === stage) return;
  const paint = stage === "awaiting" ? PAINT.hollow : PAINT.filled;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" ${paint}>${glyph}</svg>`;
  before?.remove(); // Some browsers only notice a new element.
  const href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  document.head.append(el("link", { rel: "icon", "data-icon": stage, href }));
}

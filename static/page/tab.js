/** The tab's title and icon: a background tab tells how far the project is, and whether something is wrong. */

import { el } from "../elements/dom.js";

/** @import { Headline, Mood } from "../core/types.js" */

const HORIZON = '<path d="M2 22h28" stroke="#7c84f5" stroke-width="3" stroke-linecap="round"/>';

/**
 * The logo's sun: below the horizon, touching it, risen. Colours that can be seen on the tabs of light and dark browsers.
 *
 * @type {Record<Mood, string>}
 */
const ICONS = {
  awaiting: `${HORIZON}<path d="M10 26a6 6 0 0 0 12 0" fill="none" stroke="#7c84f5" stroke-width="2.5"/>`,
  connected: `<path d="M7 22a9 9 0 0 1 18 0z" fill="#f0a030"/>${HORIZON}`,
  first_error_received: `<circle cx="16" cy="11" r="8" fill="#f0a030"/>${HORIZON}`,
  problem: '<path d="M16 3 30 28H2z" fill="#d9532f"/><path d="M16 12v8m0 4v.1" stroke="#fff" stroke-width="3.5"/>',
  stopped: '<path d="M2 22h28" stroke="#8c8a92" stroke-width="3" stroke-dasharray="4 4"/>',
};

/** @param {Headline} headline */
export function drawTab({ tab, mood }) {
  if (document.title !== tab) document.title = tab;
  const before = /** @type {HTMLElement | null} */ (document.querySelector("link[rel=icon]"));
  if (before?.dataset.icon === mood) return;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${ICONS[mood]}</svg>`;
  before?.remove(); // Some browsers only notice a new element.
  const href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  document.head.append(el("link", { rel: "icon", "data-icon": mood, href }));
}

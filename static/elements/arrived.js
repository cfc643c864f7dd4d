/**
 * What arrived: the last requests, the newest first, with what was answered and why. Nothing of a body is in it.
 *
 * `new Arrived(root, words)`, where the root is `arrived.html`; `draw(state)` after each change. It hides itself while
 * nothing came, and where the server keeps no list. Its times are `time` elements, for `drawTimes`.
 */

import { joined } from "../core/format.js";
import { sdkText } from "../core/words.js";
import { el, icon, once, part, setText, timeNode } from "./dom.js";

/** @import { Arrival, State } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Arrived {
  #root;
  #words;

  /** @param {HTMLElement} root @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
  }

  /** @param {State} state */
  draw({ snapshot }) {
    const rows = snapshot?.arrived ?? [];
    this.#root.hidden = !rows.length;
    setText(part(this.#root, "arrived-count"), String(rows.length));
    once(part(this.#root, "arrived-rows"), rows, () => rows.map((row) => this.#row(row)));
  }

  /** @param {Arrival} row */
  #row(row) {
    const { refused, source, at } = row;
    const kind = refused ? "refused" : source === "app" ? "taken" : "test";
    return el(
      "li",
      { "data-arrival": kind },
      icon(kind === "refused" ? "warn" : kind === "taken" ? "check" : "ring"),
      el("div", {}, el("b", { text: this.#what(row) }), el("p", { class: "meta", dir: "auto" }, this.#how(row))),
      timeNode(this.#words, at),
    );
  }

  /** @param {Arrival} row */
  #what({ refused, items }) {
    const { nothing, reasons } = this.#words.messages.arrived;
    if (refused) return /** @type {Record<string, string>} */ (reasons)[refused] ?? refused;
    return joined(...items.map((item) => this.#words.nameOf(item, "signals"))) || nothing;
  }

  /** @param {Arrival} row */
  #how({ endpoint, status, source, sdk, size, count, url }) {
    const { sources, times, view } = this.#words.messages.arrived;
    const by = /** @type {Record<string, string>} */ (sources)[source ?? ""];
    const bytes = size === null ? "" : this.#words.size(size);
    const often = count && count > 1 && this.#words.say(times, { count });
    const text = joined(endpoint, status, by, sdk && sdkText(sdk), bytes, often);
    if (!url) return [text];
    return [`${text} · `, el("a", { href: url, target: "_blank", rel: "noopener", text: view })];
  }
}

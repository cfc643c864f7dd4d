/** The kinds of signals that came, the latest first. */

import { sortedSignals } from "../core/state.js";
import { el, once, part, setText, timeNode } from "./dom.js";

/** @import { State } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Signals {
  #root;
  #words;

  /** @param {HTMLElement} root see `signals.html` @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
  }

  /** @param {State} state */
  draw({ snapshot }) {
    const signals = sortedSignals(snapshot);
    this.#root.hidden = !signals.length;
    setText(part(this.#root, "signals-count"), String(signals.length));
    const list = /** @type {Element} */ (this.#root.querySelector("ul"));
    once(list, signals, () =>
      signals.map(([name, { last_at: last }]) =>
        el("li", { "data-signal": name }, this.#words.nameOf(name, "signals"), timeNode(this.#words, last)),
      ),
    );
  }
}

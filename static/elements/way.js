/** That the way works: said of a test from the page, the command or by hand, which is no step of the app's. */

import { once, part, setText, timeNode } from "./dom.js";

/** @import { State } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Way {
  #root;
  #words;

  /** @param {HTMLElement} root see `way.html` @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
  }

  /** @param {State} state */
  draw({ snapshot }) {
    const by = snapshot?.checked_by;
    this.#root.hidden = !by;
    if (!by) return;
    once(part(this.#root, "way-at"), by.at, () => [timeNode(this.#words, by.at)]);
    setText(part(this.#root, "way-source"), this.#words.way(by));
  }
}

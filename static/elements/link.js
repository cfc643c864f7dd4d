/** The live link, which is always true: what it is, and a button to try now where that makes sense. */

import { linkState } from "../core/state.js";
import { part, setText } from "./dom.js";

/** @import { State } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Link {
  #root;
  #words;

  /**
   * @param {HTMLElement} root holds `.link-text` and the button `.link-now`
   * @param {Words} words
   * @param {() => void} retry
   */
  constructor(root, words, retry) {
    this.#root = root;
    this.#words = words;
    part(root, "link-now").addEventListener("click", retry);
  }

  /** @param {State} state @param {number} now */
  draw(state, now) {
    const { text, retry } = this.#words.link(state, now);
    this.#root.dataset.link = linkState(state);
    setText(part(this.#root, "link-text"), text);
    part(this.#root, "link-now").hidden = !retry;
  }

  /** What it says now. */
  get text() {
    return part(this.#root, "link-text").textContent ?? "";
  }
}

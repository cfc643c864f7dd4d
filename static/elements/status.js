/** The status: one glance says how far the project is. */

import { stageOf } from "../core/state.js";
import { part, replay, setText } from "./dom.js";

/** @import { Stage, State } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Status {
  #root;
  #words;
  /** @type {Stage | null} */
  #drawn = null;

  /** @param {HTMLElement} root see `status.html` @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
  }

  /** @param {State} state */
  draw(state) {
    const stage = stageOf(state);
    const error = state.snapshot?.first_error;
    this.#root.dataset.stage = stage;
    setText(part(this.#root, "headline"), this.#words.messages.status.headlines[stage]);
    part(this.#root, "line").classList.toggle("error-title", Boolean(error));
    this.#drawAddress(error?.url);
    // Not for the stage that it opened with: nothing happened just now.
    if (this.#drawn && stage !== this.#drawn) replay(this.#root, "settle");
    if (state.snapshot) this.#drawn = stage;
  }

  /**
   * What changes by time alone.
   *
   * @param {State} state
   * @param {number} now
   * @param {"left" | "below"} where the steps are
   */
  tick(state, now, where) {
    setText(part(this.#root, "line"), this.#words.line(state, now, where));
  }

  /** The shape of a stage. @param {Stage} stage */
  glyph(stage) {
    return this.#root.querySelector(`[data-glyph="${stage}"]`)?.outerHTML ?? "";
  }

  /** @param {string | null | undefined} url */
  #drawAddress(url) {
    const link = part(this.#root, "view-error", HTMLAnchorElement);
    link.hidden = !url;
    if (url) link.href = url;
  }
}

/** The three stages: since when, what it took, what is known of the application and of its first error. */

import { reachedAt, rowState, STAGES } from "../core/state.js";
import { part, setText } from "./dom.js";
import { Facts } from "./facts.js";
import { FirstError } from "./first-error.js";

/** @import { Stage, State } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Stages {
  #root;
  #words;
  #facts;
  #error;

  /** @param {HTMLElement} root see `stages.html` @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
    this.#facts = new Facts(part(root, "sdk"), words);
    this.#error = new FirstError(part(root, "first-error"), words);
  }

  /** @param {State} state */
  draw(state) {
    this.#facts.draw(state.snapshot);
    this.#error.draw(state.snapshot?.first_error, this.#words.errorTitle(state));
  }

  /**
   * What changes by time alone.
   *
   * @param {State} state
   * @param {number} now
   */
  tick(state, now) {
    for (const stage of STAGES) this.#tickRow(stage, state, now);
    this.#facts.tick(state, now);
  }

  /** @param {Stage} stage @param {State} state @param {number} now */
  #tickRow(stage, state, now) {
    const row = /** @type {HTMLElement} */ (this.#root.querySelector(`[data-stage="${stage}"]`));
    const [when, reached] = [part(row, "when"), reachedAt(stage, state)];
    row.dataset.state = rowState(stage, state);
    setText(when, this.#words.when(stage, state, now));
    when.title = reached === null ? "" : this.#words.exact(reached);
  }
}

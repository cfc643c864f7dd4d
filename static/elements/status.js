/** The status: one glance says how far the project is, or what is in its way. */

import { part, replay, setText } from "./dom.js";

/** @import { Headline, Mood } from "../core/types.js" */

export class Status {
  #root;
  /** @type {Mood | null} */
  #drawn = null;

  /** @param {HTMLElement} root see `status.html` */
  constructor(root) {
    this.#root = root;
  }

  /** @param {string} title what all of this is about */
  name(title) {
    setText(part(this.#root, "title"), title);
  }

  /**
   * Again each second: what is said counts the time.
   *
   * @param {Headline} said
   * @param {boolean} isKnown whether a snapshot has come
   */
  draw({ mood, text, line, detail }, isKnown) {
    this.#root.dataset.mood = mood;
    setText(part(this.#root, "headline"), text);
    setText(part(this.#root, "line"), line);
    setText(part(this.#root, "detail"), detail);
    part(this.#root, "line").classList.toggle("error-title", mood === "first_error_received");
    // Not for the mood that it opened with: nothing happened just now.
    if (this.#drawn && mood !== this.#drawn) replay(this.#root, "settle");
    if (isKnown) this.#drawn = mood;
  }
}

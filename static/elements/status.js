/** The status: one glance says how far the project is, or what is in its way. */

import { part, replay, setText } from "./dom.js";

/** @import { Headline, Mood, State } from "../core/types.js" */

export class Status {
  #root;
  /** @type {Mood | null} */
  #drawn = null;

  /** @param {HTMLElement} root see `status.html` */
  constructor(root) {
    this.#root = root;
  }

  /**
   * Again each second: what is said counts the time.
   *
   * @param {Headline} said
   * @param {State} state
   */
  draw({ mood, text, line }, { snapshot }) {
    this.#root.dataset.mood = mood;
    setText(part(this.#root, "headline"), text);
    setText(part(this.#root, "line"), line);
    part(this.#root, "line").classList.toggle("error-title", mood === "first_error_received");
    this.#drawAddress(snapshot?.first_error?.url);
    // Not for the mood that it opened with: nothing happened just now.
    if (this.#drawn && mood !== this.#drawn) replay(this.#root, "settle");
    if (snapshot) this.#drawn = mood;
  }

  /** @param {string | null | undefined} url */
  #drawAddress(url) {
    const link = part(this.#root, "view-error", HTMLAnchorElement);
    link.hidden = !url;
    if (url) link.href = url;
  }
}

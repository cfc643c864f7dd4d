/**
 * What a screen reader is told: stages and problems at once, the link once it has been away for a while. Never
 * heartbeats, seconds, or a link that flickers.
 */

import { linkState } from "../core/state.js";
import { setText } from "../elements/dom.js";

/** @import { Headline, LinkName, News, State } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/** So many milliseconds a link has to stay as it is; most reconnect sooner. */
const STEADY = 3_000;

export class Spoken {
  #node;
  #words;
  /** @type {LinkName} */
  #link = "live";
  #since = 0;
  /** @type {LinkName} */
  #told = "live";

  /** @param {HTMLElement} node a live region @param {Words} words */
  constructor(node, words) {
    this.#node = node;
    this.#words = words;
  }

  /** @param {News} news @param {State} state */
  tell(news, state) {
    const said = this.#words.announcement(news, state);
    if (said) setText(this.#node, said);
  }

  /**
   * Again each second.
   *
   * @param {State} state
   * @param {Headline} said what a page that is out of touch says in its line
   * @param {number} now
   */
  tick(state, { line }, now) {
    const link = linkState(state);
    if (link !== this.#link) [this.#link, this.#since] = [link, now];
    if (link === this.#told || now - this.#since < STEADY) return;
    this.#told = link;
    setText(this.#node, link === "live" ? this.#words.messages.link.back : line);
  }
}

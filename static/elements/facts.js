/** What is known of the application, and whether it is alive: one soft tick for each beat. */

import { joined, time } from "../core/format.js";
import { liveness } from "../core/state.js";
import { fact, once, part, replay, setText } from "./dom.js";

/** @import { Snapshot, State } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Facts {
  #root;
  #words;
  /** @type {string | null} */
  #beat = null;

  /** @param {HTMLElement} root see `facts.html` @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
  }

  /** @param {Snapshot | null} snapshot */
  draw(snapshot) {
    const rows = snapshot ? this.#words.facts(snapshot) : [];
    once(part(this.#root, "facts"), rows, () =>
      rows.flatMap(([name, text]) => fact(this.#words.messages.facts[name], text, name)),
    );
    this.#root.hidden = !rows.length;
  }

  /**
   * What changes by time alone.
   *
   * @param {State} state
   * @param {number} now
   */
  tick(state, now) {
    const node = /** @type {HTMLElement | null} */ (this.#root.querySelector("[data-fact=last_seen]"));
    const { last_seen_at: beat, interval } = state.snapshot?.liveness ?? {};
    if (!node || !beat) return;
    setText(node, joined(this.#words.lastSeen(state, now), interval && this.#every(interval)));
    node.dataset.liveness = liveness(state, now);
    node.title = this.#words.exact(time(beat) ?? now);
    if (this.#beat && beat !== this.#beat) replay(node, "tick");
    this.#beat = beat;
  }

  /** @param {number} seconds */
  #every(seconds) {
    return this.#words.say(this.#words.messages.time.every, { time: this.#words.duration(seconds * 1_000, true) });
  }
}

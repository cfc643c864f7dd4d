/** What only this browser can find out: whether it gets through to the address that SDKs send to, and what is in the way. */

import { linkState } from "../core/state.js";
import { lookQuietly, problemsAfter } from "./blocked.js";
import { SetupCheck } from "./check.js";

/** @import { Problem, State, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */
/** @import { Found } from "./blocked.js" */

/**
 * @typedef {object} Page What it sees of the page.
 * @property {() => State} state
 * @property {() => Target | null} target
 * @property {() => string} platform its id
 * @property {() => string} link what the link says
 * @property {(own: Problem[]) => void} found takes the problems of this browser
 */

export class Trouble {
  #words;
  #root;
  #page;
  #check;
  #looked = false;
  /** Who waits for the next check to reach this viewer. @type {Set<() => void>} */
  #awaited = new Set();

  /** @param {HTMLElement} element see `check.html` @param {Words} words @param {URL} root of the server @param {Page} page */
  constructor(element, words, root, page) {
    this.#words = words;
    this.#root = root;
    this.#page = page;
    this.#check = new SetupCheck(element, words, root, {
      link: () => ({ name: linkState(page.state()), text: page.link() }),
      seen: (patience) => this.#seen(patience),
      found: (found) => this.#found(found),
    });
  }

  async checkSetup() {
    const target = this.#page.target();
    if (target) await this.#check.run(target);
  }

  /** Another state came. @param {Problem[]} raised */
  changed(raised) {
    if (raised.some(({ code }) => code === "silence")) this.#lookQuietly();
    for (const look of [...this.#awaited]) look();
  }

  /** Once when the page opens. */
  lookOnce() {
    if (this.#looked || !this.#page.target() || linkState(this.#page.state()) !== "live") return;
    this.#looked = true;
    this.#lookQuietly();
  }

  /** When somebody comes back, as long as something is in the way. */
  lookAgain() {
    if (this.#page.state().own.some(({ resolved }) => !resolved)) this.#lookQuietly();
  }

  /** Whether this browser gets through to the address that SDKs send to; says something only if not. */
  async #lookQuietly() {
    const target = this.#page.target();
    if (!target || linkState(this.#page.state()) !== "live") return;
    await this.#found(await lookQuietly(target, this.#root));
  }

  /** @param {Found} found */
  async #found(found) {
    const { own, skew } = this.#page.state();
    if (found.cause === null && !own.length) return;
    const platform = this.#page.platform();
    const said = (/** @type {string} */ code) => new URL(`problems/${code}?platform=${platform}`, this.#root);
    const after = await problemsAfter(own, found, this.#words, said, Date.now() + skew);
    if (after !== own) this.#page.found(after);
  }

  /**
   * When the next check reaches this viewer, or null after so many ms.
   *
   * @param {number} patience
   * @returns {Promise<number | null>}
   */
  #seen(patience) {
    const before = this.#page.state().snapshot?.checked_at;
    return new Promise((done) => {
      const look = () => this.#page.state().snapshot?.checked_at !== before && end(performance.now());
      const timer = setTimeout(() => end(null), patience);
      const end = (/** @type {number | null} */ at) => {
        this.#awaited.delete(look);
        clearTimeout(timer);
        done(at);
      };
      this.#awaited.add(look);
    });
  }
}

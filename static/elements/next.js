/** What to do after the first error: at most three things, and only those that are not done. */

import { stageOf } from "../core/state.js";
import { write } from "./copy.js";
import { part, setText } from "./dom.js";

/** @import { State } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/**
 * @typedef {object} Ways How it is done.
 * @property {(feature: string) => void} turnOn shows what turns a feature on
 * @property {() => Promise<{ link: string, isLimited: boolean }>} invite gives a link to this page for somebody else
 */

export class Next {
  #root;
  #words;

  /** @param {HTMLElement} root see `next.html` @param {Words} words @param {Ways} ways */
  constructor(root, words, ways) {
    this.#root = root;
    this.#words = words;
    this.#button("tracing").addEventListener("click", () => ways.turnOn("tracing"));
    this.#button("invite").addEventListener("click", () => this.#invite(ways.invite));
  }

  /** @param {State} state */
  draw(state) {
    const { snapshot } = state;
    this.#root.hidden = stageOf(state) !== "first_error_received";
    const tracing = snapshot?.features.find(({ name }) => name === "tracing");
    part(this.#root, "next-tracing").hidden = tracing?.state !== "off";
    // Where the stack was judged, the release is asked for there, with the code.
    part(this.#root, "next-release").hidden = Boolean(snapshot?.app.release || snapshot?.first_error?.lacks);
  }

  /** @param {string} name */
  #button = (name) => /** @type {HTMLElement} */ (part(this.#root, `next-${name}`).querySelector("button"));

  /** @param {Ways["invite"]} invite */
  async #invite(invite) {
    const { invited, invited_limited: limited, invite_by_hand: byHand } = this.#words.messages.next;
    const { link, isLimited } = await invite();
    const said = isLimited ? limited : invited;
    setText(part(this.#root, "invite-result"), (await write(link)) ? said : this.#words.say(byHand, { link }));
  }
}

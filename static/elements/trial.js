/** Two buttons that send a signal from this very browser, and what became of it. */

import { part, setText } from "./dom.js";

/** @import { Words } from "../core/words.js" */

/** @typedef {"heartbeat" | "error"} Kind */
/** @typedef {(kind: Kind) => Promise<{ ok: boolean, text: string }>} Send */

export class Trial {
  #root;

  /** @param {HTMLElement} root see `trial.html` @param {Words} words @param {Send} send */
  constructor(root, words, send) {
    this.#root = root;
    for (const kind of /** @type {Kind[]} */ (["heartbeat", "error"])) {
      this.#button(kind).addEventListener("click", async () => {
        this.#say(words.messages.trial.sending);
        const { ok, text } = await send(kind);
        this.#say(text, ok);
      });
    }
  }

  /** @param {boolean} possible */
  enable(possible) {
    this.#button("heartbeat").disabled = this.#button("error").disabled = !possible;
  }

  /** @param {Kind} kind */
  #button = (kind) => part(this.#root, `send-${kind}`, HTMLButtonElement);

  /** @param {string} text @param {boolean} [ok] */
  #say(text, ok) {
    const result = part(this.#root, "send-result");
    setText(result, text);
    if (ok !== undefined) result.dataset.ok = String(ok);
  }
}

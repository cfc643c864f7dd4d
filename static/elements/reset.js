/** "Start over": asks, then lets the project wait for its first signal again. */

import { el, setText } from "./dom.js";

/** @import { Message } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Reset {
  #button;
  #result;
  #words;
  #say;
  #reset;
  #done;

  /**
   * @param {HTMLElement} button that was clicked; the question takes its place
   * @param {HTMLElement} result where it says why it could not be done
   * @param {Words} words
   * @param {() => Promise<Response>} reset
   * @param {(snapshot: Message) => void} done
   */
  constructor(button, result, words, reset, done) {
    this.#button = button;
    this.#result = result;
    this.#words = words.messages.reset;
    this.#reset = reset;
    this.#done = done;
    this.#say = words.say.bind(words);
  }

  ask() {
    const { question: text, yes, no } = this.#words;
    const keep = el("button", { type: "button", class: "quiet confirm-no", text: no });
    const go = el("button", { type: "button", class: "confirm-yes", text: yes });
    const question = el("div", { class: "confirm", role: "group", "aria-label": text }, el("p", { text }), go, keep);
    const leave = (result = "") => {
      question.remove();
      this.#button.hidden = false;
      this.#button.focus();
      setText(this.#result, result);
    };
    keep.addEventListener("click", () => leave());
    question.addEventListener("keydown", ({ key }) => key === "Escape" && leave());
    go.addEventListener("click", async () => leave(await this.#run()));
    this.#button.hidden = true;
    this.#button.after(question);
    keep.focus();
  }

  /** Why it could not be done, if so. */
  async #run() {
    const answer = await this.#reset().catch(() => null);
    if (!answer) return this.#words.no_answer;
    const { ok, status } = answer;
    if (status === 401 || status === 403) return this.#words.not_owner;
    if (!ok) return this.#say(this.#words.failed, { status });
    this.#done(await answer.json());
    return "";
  }
}

/**
 * A verification run: what somebody says was done, beside what arrived since that proves it.
 *
 * `new Runs(root, words)`, where the root is `runs.html`; `draw(state)` after each change. It hides itself while there is no
 * run. Its times are `time` elements, for `drawTimes`.
 */

import { el, icon, once, part, setText, timeNode } from "./dom.js";

/** @import { RunStep, State } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Runs {
  #root;
  #words;

  /** @param {HTMLElement} root @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
  }

  /** @param {State} state */
  draw({ snapshot }) {
    const run = snapshot?.run;
    this.#root.hidden = !run;
    if (!run) return;
    setText(part(this.#root, "runs-gist"), this.#words.say(this.#words.messages.runs.about, { marker: run.marker }));
    const told = run.steps.filter((step) => step.claimed_at || step.proved_at);
    once(part(this.#root, "runs-rows"), told, () => told.map((step) => this.#row(step)));
  }

  /** @param {RunStep} step */
  #row({ step, claimed_at: claimed, said, proved_at: proved, unmarked_at: unmarked }) {
    const { names, says, nothing, proof, unproved } = this.#words.messages.runs;
    const state = proved ? "proved" : unmarked ? "unmarked" : "claimed";
    const shown = { proved: proof, unmarked: unproved, claimed: nothing }[state];
    return el(
      "li",
      { "data-run-step": step, "data-proof": state },
      icon(proved ? "check" : "ring"),
      el(
        "div",
        {},
        el("b", { text: names[step] }),
        claimed ? el("p", { class: "meta" }, `${says} `, timeNode(this.#words, claimed)) : null,
        said ? el("p", { class: "meta" }, el("bdi", { text: `“${said}”` })) : null,
        el("p", { class: "meta runs-proof" }, `${shown} `, timeNode(this.#words, proved ?? unmarked)),
      ),
    );
  }
}

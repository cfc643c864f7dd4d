/**
 * Where the app was seen: since when, when last, whether an error came from there, and that it never was in production.
 *
 * `new Environments(root, words)`, where the root is `environments.html`; `draw(state)` after each change. It hides itself
 * while no environment is known. Its times are `time` elements, for `drawTimes`.
 */

import { el, icon, once, part, setText, timeNode } from "./dom.js";

/** @import { Environment, State } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Environments {
  #root;
  #words;

  /** @param {HTMLElement} root @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
  }

  /** @param {State} state */
  draw({ snapshot }) {
    const rows = snapshot?.environments ?? [];
    this.#root.hidden = !rows.length;
    setText(part(this.#root, "environments-gist"), this.#gist(rows, snapshot?.lacks_production));
    // SDKs that are told nothing say "production", also on a developer's machine.
    part(this.#root, "environments-note").hidden = rows.length !== 1 || rows[0]?.name !== "production";
    once(part(this.#root, "environments-rows"), rows, () => rows.map((row) => this.#row(row)));
  }

  /** @param {Environment[]} rows @param {boolean | undefined} lacksProduction */
  #gist(rows, lacksProduction) {
    if (!lacksProduction) return String(rows.length);
    const names = new Intl.ListFormat(this.#words.language).format(rows.map(({ name }) => name));
    return this.#words.say(this.#words.messages.environments.never, { names });
  }

  /** @param {Environment} row */
  #row({ name, first_at: first, last_at: last, has_error: failed }) {
    const { since, last: latest, error, no_error: none } = this.#words.messages.environments;
    const times = [`${since} `, timeNode(this.#words, first), ` · ${latest} `, timeNode(this.#words, last)];
    return el(
      "li",
      { "data-environment": name },
      icon(failed ? "check" : "ring"),
      el(
        "div",
        {},
        el("b", {}, el("bdi", { text: name })),
        el("p", { class: "meta" }, times, ` · ${failed ? error : none}`),
      ),
    );
  }
}

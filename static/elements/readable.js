/**
 * Whether people will be able to read the first error: what its stack lacks, why that matters, and the platform's fix.
 *
 * `new Readable(root, words)`, where the root is `readable.html`; `draw(state, values)` after each change, where the values
 * fill the gaps of the fixes (null as long as they are not known). It belongs beside the first error, and hides itself
 * while there is none, or where its stack was not judged.
 */

import { codeBox } from "./code.js";
import { el, icon, keepFocus, once, part } from "./dom.js";

/** @import { Lack, State, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Readable {
  #root;
  #words;

  /** @param {HTMLElement} root @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
  }

  /** @param {State} state @param {Target | null} values */
  draw({ snapshot }, values) {
    const lacks = snapshot?.first_error?.lacks;
    this.#root.hidden = !lacks;
    if (!lacks) return;
    const list = part(this.#root, "readable-rows");
    keepFocus(list, () => once(list, { lacks, values }, () => this.#rows(lacks, values)));
  }

  /** @param {Lack[]} lacks @param {Target | null} values */
  #rows(lacks, values) {
    const { fine } = this.#words.messages.readable;
    if (!lacks.length)
      return [el("li", { "data-lack": "nothing" }, icon("check"), el("div", {}, el("b", { text: fine })))];
    return lacks.map((lack) => this.#row(lack, values));
  }

  /** @param {Lack} lack @param {Target | null} values */
  #row({ code, fix, mended }, values) {
    const { names, causes, mended: done, copy } = this.#words.messages.readable;
    const [name, why] = [names, causes].map((told) => /** @type {Record<string, string>} */ (told)[code] ?? code);
    const label = { "aria-label": this.#words.say(copy, { lack: name }) };
    return el(
      "li",
      { "data-lack": code, "data-mended": mended },
      icon(mended ? "check" : "warn"),
      el(
        "div",
        {},
        el("b", { text: name }),
        el("p", { class: "note", text: mended ? done : why }),
        fix && !mended ? codeBox(this.#words, { code: fix }, values, label) : null,
      ),
    );
  }
}

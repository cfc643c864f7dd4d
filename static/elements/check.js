/** "Check my setup": a row for each thing that is tried, all of them from the start, so that nothing jumps. */

import { ROWS } from "../core/verdict.js";
import { el, icon, part, setText } from "./dom.js";

/** @import { Result } from "../core/types.js" */
/** @import { Row, Verdict } from "../core/verdict.js" */
/** @import { Words } from "../core/words.js" */

export class Check {
  #root;
  #words;
  #verdict;

  /** @param {HTMLElement} root see `check.html` @param {Words} words @param {Verdict} verdict */
  constructor(root, words, verdict) {
    this.#root = root;
    this.#words = words;
    this.#verdict = verdict;
  }

  /** @param {Partial<Record<Row, Result>>} rows what is known */
  draw(rows) {
    part(this.#root, "check-rows").replaceChildren(...ROWS.map((name) => this.#row(name, rows[name])));
  }

  start() {
    this.#root.hidden = false;
    setText(part(this.#root, "check-result"), this.#words.messages.check.checking);
    this.draw({});
    this.#root.scrollIntoView({ block: "nearest" });
  }

  /** @param {Partial<Record<Row, Result>>} rows */
  end(rows) {
    setText(part(this.#root, "check-result"), this.#verdict.summary(Object.values(rows)));
  }

  /** @param {Row} name @param {Result | undefined} result */
  #row(name, result) {
    const { ok, text = "", time = "", fix } = result ?? {};
    const said = ok === null ? "skipped" : ok ? "passed" : "failed";
    return el(
      "li",
      { "data-check": name, "data-result": ok === undefined ? null : said },
      icon(ok ? "check" : ok === false ? "warn" : "ring"),
      el(
        "div",
        {},
        el("b", { text: this.#verdict.nameOf(name) }),
        ` ${text}`,
        fix ? el("p", { class: "hint", text: fix }) : null,
      ),
      el("span", { class: "meta", text: time }),
    );
  }
}

/** The problems: calm, with what happened, why and what to do. What is only good to know, or over, is folded up. */

import { evidenceOf, isLong, summaryOf } from "../core/problems.js";
import { grouped, isByAnybody } from "../core/state.js";
import { codeBox } from "./code.js";
import { dsnDiff } from "./diff.js";
import { el, fact, icon, keepFocus, once, part, setText, timeNode } from "./dom.js";

/** @import { Problem, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Problems {
  #root;
  #list;
  #words;
  #said;
  #docs;

  /**
   * @param {HTMLElement} root see `problems.html`
   * @param {Words} words
   * @param {URL} docs what the problems' links are relative to
   */
  constructor(root, words, docs) {
    this.#root = root;
    this.#list = part(root, "problems-list");
    this.#words = words;
    this.#said = words.messages.problems_list;
    this.#docs = docs;
  }

  /**
   * @param {Problem[]} problems in the order to be shown
   * @param {Target | null} values for the fixes
   */
  draw(problems, values) {
    const { open, strangers, notes, resolved } = grouped(problems);
    this.#root.hidden = !problems.length;
    const [first, last] = [[...open, ...strangers], resolved].map((group) => group.map((it) => this.#row(it, values)));
    arrange(this.#list, [...first, ...(notes.length ? [this.#notes(notes, values)] : []), ...last]);
  }

  /** @param {Problem} problem @param {Target | null} values */
  #row(problem, values) {
    const row = this.#known(problem.code) ?? el("li", { "data-code": problem.code });
    const { count, last_at: last, resolved_at: over, ...said } = problem;
    row.className = problem.code === "silence" ? "problem usual" : "problem";
    row.dataset.severity = problem.severity;
    row.dataset.resolved = String(Boolean(problem.resolved));
    keepFocus(row, () => once(row, { said, values }, () => this.#parts(problem, values, row)));
    // What grows by itself leaves the rest of the row alone.
    once(part(row, "meta"), { count, last, over }, () => this.#times(problem));
    return row;
  }

  /** @param {string} code @returns {HTMLElement | null} */
  #known(code) {
    return this.#list.querySelector(`[data-code="${CSS.escape(code)}"]`);
  }

  /** @param {Problem[]} notes @param {Target | null} values */
  #notes(notes, values) {
    const known = /** @type {HTMLElement | null} */ (this.#list.querySelector(".notes"));
    const row = known ?? el("li", { class: "notes" }, folded(el("summary"), el("ul")));
    const [title, list] = /** @type {HTMLElement[]} */ ([...row.querySelectorAll(":scope > details > *")]);
    const count = this.#words.say(this.#said.notes, { count: notes.length });
    setText(title, notes.length > 1 ? count : `${count}: ${summaryOf(notes[0], this.#words)}`);
    arrange(
      list,
      notes.map((note) => this.#row(note, values)),
    );
    return row;
  }

  /** @param {Problem} problem */
  #times({ code, resolved, resolved_at: over, count, last_at: last }) {
    if (resolved) return [`${this.#said.resolved} · `, timeNode(this.#words, over ?? last)];
    const isCounted = count > 1 && !isByAnybody({ code }); // their sentence counts already
    return [isCounted ? `${this.#words.say(this.#said.times, { count })} ` : null, timeNode(this.#words, last)];
  }

  /** @param {Problem} problem @param {Target | null} values @param {HTMLElement} row as it was */
  #parts(problem, values, row) {
    if (problem.resolved) return [icon("check"), this.#line(problem, row)];
    if (isByAnybody(problem)) return [this.#line(problem, row)];
    if (problem.code === "silence") return [this.#silence(problem, values)];
    const wasOpen = row.querySelector("details.evidence[open]") !== null;
    return [
      problem.severity === "note" ? null : icon("warn"),
      el(
        "div",
        {},
        el("p", { class: "summary", dir: "auto", text: problem.summary }),
        el("p", { class: "meta" }),
        this.#advice(problem, values),
        this.#evidence(problem, wasOpen),
        this.#link(problem),
      ),
    ];
  }

  /**
   * Why, what to look at, what to paste.
   *
   * @param {Problem} problem
   * @param {Target | null} values
   */
  #advice(problem, values) {
    const { hint, checks, fix, summary } = problem;
    const label = { "aria-label": this.#words.say(this.#said.copy_fix, { summary }) };
    const looks = (checks ?? []).map((text) => el("li", { dir: "auto", text }));
    return [
      hint ? el("p", { class: "hint", dir: "auto", text: hint }) : null,
      looks.length ? el("ul", { class: "checks" }, looks) : null,
      dsnDiff(this.#words, problem, values, label) ?? (fix ? codeBox(this.#words, { code: fix }, values, label) : null),
    ];
  }

  /**
   * Nothing is wrong yet, so it does not look like it.
   *
   * @param {Problem} problem
   * @param {Target | null} values
   */
  #silence(problem, values) {
    const check = el("button", { type: "button", class: "check-setup", text: this.#words.messages.check.button });
    return el(
      "div",
      {},
      el("p", { class: "summary", text: this.#said.usual }),
      el("p", { class: "meta offscreen" }),
      this.#advice({ ...problem, hint: `${problem.summary} ${problem.hint}` }, values),
      el("p", { class: "more" }, check, this.#link(problem)),
    );
  }

  /**
   * One calm line; the rest is folded up.
   *
   * @param {Problem} problem
   * @param {HTMLElement} row as it was
   */
  #line(problem, row) {
    const title = el("summary", { dir: "auto", text: summaryOf(problem, this.#words) });
    const hint = el("p", { class: "hint", dir: "auto", text: problem.hint });
    const details = folded(title, hint, this.#rows(problem));
    details.className = "line-only";
    details.open = row.querySelector(".line-only[open]") !== null;
    return el("div", {}, details, el("p", { class: "meta" }));
  }

  /** @param {Problem} problem @param {boolean} wasOpen */
  #evidence(problem, wasOpen) {
    const rows = this.#rows(problem);
    const title = el("summary", { text: this.#said.evidence });
    return rows && el("details", { class: "evidence", open: wasOpen ? "" : null }, title, rows);
  }

  /** What was received, marked as such: anybody may have sent it. @param {Problem} problem */
  #rows(problem) {
    const rows = evidenceOf(problem, this.#words).flatMap(([label, text, name]) =>
      fact(label, el("span", { class: isLong(text) ? "received long" : "received", text }), name),
    );
    return rows.length ? el("dl", { class: "facts" }, rows) : null;
  }

  /** @param {Problem} problem */
  #link({ docs }) {
    if (!docs) return null;
    const about = el("span", { class: "offscreen", text: ` ${this.#said.new_tab}` });
    const href = new URL(docs, this.#docs).href;
    return el("a", { class: "docs", href, target: "_blank", rel: "noopener" }, this.#said.how, about);
  }
}

/**
 * Rows stay as long as they say the same: a focus or an open detail survives.
 *
 * @param {Element} list
 * @param {Element[]} rows
 */
function arrange(list, rows) {
  const same = rows.length === list.children.length && rows.every((row, i) => row === list.children[i]);
  if (!same) keepFocus(list, () => list.replaceChildren(...rows));
}

/** @param {(Node | null)[]} children */
const folded = (...children) => el("details", {}, children);

/** The project's own DSN, and a button that copies it. */

import { copyButton } from "./copy.js";
import { el, once, part } from "./dom.js";

/** @import { Project, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/** So much of the key stands in sight with the address behind it, however narrow the screen. */
const KEY_END = 4;

export class Dsn {
  #root;
  #words;
  #copy;
  #dsn = "";

  /** @param {HTMLElement} root see `dsn.html` @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
    const label = { class: "copy-dsn", "aria-label": words.messages.copy.dsn, disabled: "" };
    this.#copy = copyButton(words, () => this.#dsn, label);
    root.append(this.#copy);
  }

  /**
   * @param {Project | null} project null: it exists, but its DSN is not ours to see
   * @param {Target | null} target
   */
  draw(project, target) {
    const { dsn_hidden: hidden, dsn_none: none } = this.#words.messages.steps;
    this.#dsn = target?.dsn ?? "";
    this.#copy.disabled = !target;
    const text = project ? (project.dsn ?? none) : hidden;
    const end = target ? text.indexOf("@") - KEY_END : text.length;
    const [start, rest] = [text.slice(0, end), text.slice(end)];
    const code = part(this.#root, "dsn-text");
    code.style.setProperty("--end", `${rest.length}ch`);
    once(code, text, () => [el("span", { class: "dsn-start", text: start }), rest]);
  }
}

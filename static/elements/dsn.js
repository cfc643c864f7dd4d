/** The project's own DSN, and a button that copies it. */

import { copyButton } from "./copy.js";
import { part, setText } from "./dom.js";

/** @import { Project, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

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
    setText(part(this.#root, "dsn-text"), project ? (project.dsn ?? none) : hidden);
  }
}

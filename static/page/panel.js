/** "What we see": a column beside the steps; on narrow screens a bar on top that opens. */

import { openWords } from "../core/problems.js";
import { grouped } from "../core/state.js";
import { part, setText } from "../elements/dom.js";

/** @import { Problem } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Panel {
  #root;
  #words;
  #toggle;
  #narrow = matchMedia("(max-width: 899px)");

  /** @param {HTMLElement} root @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
    this.#toggle = part(root, "see-toggle");
    this.#toggle.addEventListener("click", () => this.#open(!root.classList.contains("open")));
    root.addEventListener("keydown", (event) => this.#key(event));
    this.#narrow.addEventListener("change", () => this.#place());
    this.#place();
  }

  /** Where the steps are, seen from here. @returns {"left" | "below"} */
  get where() {
    return this.#narrow.matches ? "below" : "left";
  }

  /** What the bar says of the problems below it. @param {Problem[]} problems */
  count(problems) {
    const { open } = grouped(problems);
    const count = part(this.#root, "see-count");
    setText(count, openWords(open, this.#words));
    count.toggleAttribute(
      "data-problems",
      open.some(({ code }) => code !== "silence"),
    );
  }

  /** @param {boolean} open */
  #open(open) {
    this.#root.classList.toggle("open", open);
    this.#toggle.setAttribute("aria-expanded", String(open));
  }

  /** @param {KeyboardEvent} event */
  #key({ key }) {
    if (key !== "Escape" || !this.#narrow.matches) return;
    this.#open(false);
    this.#toggle.focus();
  }

  /** The tab order follows the eye: a bar before the steps, a column after them. */
  #place() {
    const parent = this.#root.parentElement;
    if (this.#narrow.matches) parent?.prepend(this.#root);
    else parent?.append(this.#root);
  }
}

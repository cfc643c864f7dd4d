/** How one wants the steps: with which package manager, build tool, module system. */

import { el } from "./dom.js";

/** @import { Words } from "../core/words.js" */

export class Variants {
  #root;
  #words;
  #tell;

  /** @param {HTMLElement} root see `steps.html` @param {Words} words @param {(name: string, option: string) => void} tell */
  constructor(root, words, tell) {
    this.#root = root;
    this.#words = words;
    this.#tell = tell;
  }

  /** @param {{ name: string, options: string[] }[]} axes @param {Record<string, string>} chosen */
  draw(axes, chosen) {
    // As little as possible: whoever just pressed one of them keeps the focus.
    const known = [...this.#root.children].map((group) => /** @type {HTMLElement} */ (group).dataset.axis).join();
    if (known !== axes.map(({ name }) => name).join())
      this.#root.replaceChildren(...axes.map((axis) => this.#group(axis)));
    for (const { name, options } of axes) {
      const on = options.includes(chosen[name]) ? chosen[name] : options[0];
      for (const button of this.#root.querySelectorAll(`[data-axis="${name}"] button`)) {
        button.setAttribute("aria-pressed", String(button.textContent === on));
      }
    }
    this.#root.hidden = !axes.length;
  }

  /** @param {{ name: string, options: string[] }} axis */
  #group({ name, options }) {
    const buttons = options.map((option) => {
      const button = el("button", { type: "button", text: option });
      button.addEventListener("click", () => this.#tell(name, option));
      return button;
    });
    const label = this.#words.nameOf(name, "variants");
    return el("div", { role: "group", "aria-label": label, "data-axis": name }, ...buttons);
  }
}

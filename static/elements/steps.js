/** The three steps: the code of one platform, with the project's values filled in. */

import { STEPS } from "../core/snippets.js";
import { STAGES } from "../core/state.js";
import { codeBox, drawCode } from "./code.js";
import { part, setText } from "./dom.js";

/** @import { PlatformFile, Snippet, Stage, StepName, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/** How many steps lie behind who reached a stage. */
const DONE = [0, 2, 3];

export class Steps {
  #root;
  #words;

  /** @param {HTMLElement} root see `steps.html` @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
  }

  /** @param {PlatformFile} file @param {string} language @param {Target | null} values */
  draw(file, language, values) {
    for (const step of STEPS) this.#drawStep(step, file.steps[step], language, values);
  }

  /** What lies behind the user gets a check mark. @param {Stage} stage */
  showStage(stage) {
    const done = DONE[STAGES.indexOf(stage)];
    for (const [i, step] of STEPS.entries()) this.#row(step).classList.toggle("done", i < done);
  }

  /** @param {StepName} name */
  #row = (name) => /** @type {HTMLElement} */ (this.#root.querySelector(`[data-step="${name}"]`));

  /**
   * @param {StepName} name
   * @param {PlatformFile["steps"][StepName]} step
   * @param {string} language
   * @param {Target | null} values
   */
  #drawStep(name, { also = [], note, ...first }, language, values) {
    const { copy, copy_part: copyPart, names } = this.#words.messages.steps;
    const row = this.#row(name);
    setText(part(row, "note"), note ?? "");
    const label = { class: `copy-${name}`, "aria-label": this.#words.say(copy, { step: names[name] }) };
    drawCode(part(row, "code"), this.#words, { language, ...first }, values, label);
    // Some platforms want a second file.
    for (const extra of row.querySelectorAll(".also")) extra.remove();
    const boxes = also.map((/** @type {Snippet} */ snippet, /** @type {number} */ i) => {
      const partLabel = { "aria-label": this.#words.say(copyPart, { step: names[name], part: i + 2 }) };
      return codeBox(this.#words, { language, ...snippet }, values, partLabel);
    });
    for (const box of boxes) box.classList.add("also");
    part(row, "code").after(...boxes);
  }
}

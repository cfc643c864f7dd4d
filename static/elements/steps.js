/**
 * The three steps: the code of one platform, with the project's values filled in. What is done folds into one line with
 * its proof, and all of them into one when the app has failed once.
 */

import { fill, STEPS, textOf } from "../core/snippets.js";
import { current } from "../core/spine.js";
import { codeBox, drawCode } from "./code.js";
import { copyButton } from "./copy.js";
import { el, once, part, setText } from "./dom.js";

/** @import { PlatformFile, Snippet, SpineStep, StepName, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/** Keeps the room of a line. */
const NOTHING = "\u00a0";

export class Steps {
  #root;
  #words;
  /** What the line of a brief step shows. */
  #command = NOTHING;

  /** @param {HTMLDetailsElement} root holds `steps.html` @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
  }

  /** @param {PlatformFile} file @param {string} language @param {Target | null} values */
  draw(file, language, values) {
    for (const step of STEPS) this.#drawStep(step, file.steps[step], language, values);
    setText(part(this.#row("configure"), "checked"), this.#words.checked(file.checked));
    this.#drawBrief(fill(textOf(file.steps.install.code), values));
  }

  /** The first line of what is to be installed, with a button that copies all of it. @param {string} code */
  #drawBrief(code) {
    const { copy, names } = this.#words.messages.steps;
    const row = this.#row("install");
    const label = { "aria-label": this.#words.say(copy, { step: names.install }) };
    once(part(row, "quick"), code, () => (code ? [copyButton(this.#words, () => code, label)] : []));
    this.#command = code.split("\n")[0] || NOTHING;
    if (row.dataset.state === "brief") setText(part(row, "proof"), this.#command);
  }

  /**
   * Opens what is to be done and folds what is done when that changes: in between, the user decides.
   *
   * @param {SpineStep[]} steps
   */
  show(steps) {
    const here = current(steps)?.name;
    for (const step of steps) this.#showStep(step, step.name === here);
    const isOver = !here;
    if (this.#root.dataset.over !== String(isOver)) this.#root.open = !isOver;
    this.#root.dataset.over = String(isOver);
  }

  /** @param {SpineStep} step @param {boolean} isHere */
  #showStep({ name, state, proof }, isHere) {
    const row = this.#row(name);
    const details = part(row, "step-fold", HTMLDetailsElement);
    // One at a time, also where two are broken: the other one is marked, and has its turn.
    const isChanged = row.dataset.state !== state || row.hasAttribute("aria-current") !== isHere;
    if (isChanged) details.open = isHere;
    row.dataset.state = state;
    setText(part(row, "proof"), state === "brief" ? this.#command : proof);
    if (isHere) row.setAttribute("aria-current", "step");
    else row.removeAttribute("aria-current");
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
    const body = part(this.#row(name), "step-body");
    const [about, box] = ["note", "code"].map(
      (role) => /** @type {HTMLElement} */ (body.querySelector(`:scope > .${role}`)),
    );
    setText(about, note ? this.#words.note(note) : "");
    const label = { class: `copy-${name}`, "aria-label": this.#words.say(copy, { step: names[name] }) };
    drawCode(box, this.#words, { language, ...first }, values, label);
    // Some platforms want a second file.
    for (const extra of body.querySelectorAll(".also")) extra.remove();
    const boxes = also.flatMap((/** @type {Snippet} */ snippet, /** @type {number} */ i) => {
      const partLabel = { "aria-label": this.#words.say(copyPart, { step: names[name], part: i + 2 }) };
      const where = snippet.note ? [el("p", { class: "note", text: snippet.note })] : [];
      return [...where, codeBox(this.#words, { language, ...snippet }, values, partLabel)];
    });
    for (const extra of boxes) extra.classList.add("also");
    box.after(...boxes);
  }
}

/** The feature checklist: what arrives, what is set up, and two lines of code for what is not. */

import { STAGES, sortedFeatures, stageOf } from "../core/state.js";
import { codeBox } from "./code.js";
import { el, icon, keepFocus, once, part, setText, timeNode } from "./dom.js";

/** @import { Feature, Platform, State, Step, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/**
 * @typedef {object} Help What turns a feature on.
 * @property {Platform} platform
 * @property {Target | null} values
 * @property {Step | null} [snippet] null where the platform has no such feature; missing where nobody answered
 */

export class Features {
  #root;
  #list;
  #words;
  #help;
  /** @type {string[] | null} */
  #possible = null;
  /** Which one's help is open. @type {string | null} */
  #shown = null;
  /** What the app has already: code to paste keeps it. @type {string[]} */
  #on = [];

  /**
   * @param {HTMLElement} root see `features.html`
   * @param {Words} words
   * @param {(name: string, on: string[]) => Promise<Help> | null} help null as long as nobody knows
   */
  constructor(root, words, help) {
    this.#root = root;
    this.#list = part(root, "features-list");
    this.#words = words;
    this.#help = help;
  }

  /** While nothing came, all of them are off: that is no news. @param {State} state */
  draw(state) {
    // What a platform cannot have is no choice; what came all the same is the truth.
    const isShown = (/** @type {Feature} */ { name, state: how }) => how !== "off" || this.#isPossible(name);
    const features = sortedFeatures(state.snapshot).filter(isShown);
    this.#on = features.filter(({ state }) => state !== "off").map(({ name }) => name);
    this.#root.hidden = stageOf(state) === STAGES[0] || !features.length;
    if (this.#root.hidden) return;
    const { count } = this.#words.messages.features;
    const on = features.filter(({ state }) => state !== "off").length;
    setText(part(this.#root, "features-count"), this.#words.say(count, { on, all: features.length }));
    keepFocus(this.#list, () => once(this.#list, features, () => features.map((feature) => this.#row(feature))));
    if (features.some(({ name, state }) => name === this.#shown && state !== "off")) this.#hide();
  }

  /** @param {string[] | null} possible what the platform can have; null: nobody knows */
  limit(possible) {
    this.#possible = possible;
  }

  /** @param {string} name */
  #isPossible = (name) => this.#possible?.includes(name) ?? true;

  /** Opens the checklist with the help for one. @param {string} name */
  async open(name) {
    /** @type {HTMLDetailsElement} */ (this.#root).open = true;
    await this.#show(name);
    this.#list.querySelector(`[data-feature="${CSS.escape(name)}"] button`)?.scrollIntoView({ block: "center" });
  }

  /** Also after another platform was chosen. */
  async redraw() {
    const name = this.#shown;
    if (!name) return;
    const help = await this.#help(name, this.#on);
    if (!help || name !== this.#shown) return;
    const box = part(this.#root, "feature-help");
    box.replaceChildren(...this.#parts(name, help));
    box.hidden = false;
  }

  /** @param {Feature} feature */
  #row(feature) {
    const { name, state, first_at: first } = feature;
    const row = el("li", { "data-feature": name, "data-state": state });
    if (state === "off") row.append(this.#chip(name));
    else row.append(icon(state === "received" ? "check" : "ring"), this.#name(name), this.#when(feature, first));
    return row;
  }

  /** @param {Feature} feature @param {string | null | undefined} first */
  #when(feature, first) {
    const known = feature.state === "received" ? timeNode(this.#words, first) : null;
    return known ?? el("span", { class: "meta", text: this.#words.feature(feature) });
  }

  /** @param {string} name */
  #name = (name) => this.#words.nameOf(name, "features");

  /** @param {string} name */
  #chip(name) {
    const about = el("span", { class: "offscreen", text: ` ${this.#words.messages.features.how}` });
    const button = el("button", { type: "button", "aria-expanded": name === this.#shown }, this.#name(name), about);
    button.addEventListener("click", () => (name === this.#shown ? this.#hide() : this.#show(name)));
    return button;
  }

  #hide() {
    this.#shown = null;
    part(this.#root, "feature-help").hidden = true;
    this.#mark();
  }

  /** @param {string} name */
  async #show(name) {
    this.#shown = name;
    this.#mark();
    await this.redraw();
    part(this.#root, "feature-help").scrollIntoView({ block: "nearest" });
  }

  /** @param {string} name @param {Help} help */
  #parts(name, { platform, values, snippet }) {
    const { of, missing, unloaded, copy } = this.#words.messages.features;
    const { note, also = [], ...first } = snippet ?? {};
    const boxes = [first, ...also].filter(({ code }) => code);
    const said = snippet ? of : snippet === null ? missing : unloaded;
    const gaps = { feature: snippet ? this.#name(name) : name, platform: platform.name };
    const label = { class: "copy-feature", "aria-label": this.#words.say(copy, { feature: name }) };
    return [
      el("p", { class: "meta", text: this.#words.say(said, gaps) }),
      ...(note ? [el("p", { class: "note", text: this.#words.note(note) })] : []),
      ...boxes.map((box) => codeBox(this.#words, { language: platform.language, ...box }, values, label)),
    ];
  }

  #mark() {
    for (const row of /** @type {HTMLCollectionOf<HTMLElement>} */ (this.#list.children)) {
      row.querySelector("button")?.setAttribute("aria-expanded", String(row.dataset.feature === this.#shown));
    }
  }
}

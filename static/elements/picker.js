/**
 * The platform picker: an editable combobox with a list that narrows as one
 * types (WAI-ARIA, "list autocomplete"). The focus stays in the input;
 * `aria-activedescendant` names the option.
 */

import { listed } from "../core/picking.js";
import { el, icon, part, setText } from "./dom.js";

/** @import { Group } from "../core/picking.js" */
/** @import { Platform } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/** The platform that says how any SDK is set up. */
const ANY = "other";

export class Picker {
  #input;
  #list;
  #note;
  #words;
  #platforms;
  #onPick;
  /** @type {Platform[]} */
  #matches = [];
  #active = -1;
  /** Ids of those chosen last. @type {string[]} */
  recent = [];

  /**
   * @param {Element} root see `picker.html`
   * @param {Words} words
   * @param {Platform[]} platforms
   * @param {Platform | null} picked
   * @param {(platform: Platform) => void} onPick
   */
  constructor(root, words, platforms, picked, onPick) {
    this.#input = /** @type {HTMLInputElement} */ (root.querySelector("[role=combobox]"));
    this.#list = /** @type {HTMLElement} */ (root.querySelector("[role=listbox]"));
    this.#note = part(root, "picker-note");
    this.#words = words;
    this.#platforms = platforms;
    this.#onPick = onPick;
    this.picked = picked;
    this.#listen();
    this.show(picked);
  }

  #listen() {
    this.#input.addEventListener("click", () => this.#open(""));
    this.#input.addEventListener("input", () => this.#open(this.#input.value));
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.#input.addEventListener("blur", () => this.#close());
    // Keeps the focus in the input: its blur would close the list before the click.
    this.#list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.#list.addEventListener("click", (event) => this.#clicked(event));
  }

  /** Shows a platform as picked without telling anybody. @param {Platform | null} platform */
  show(platform) {
    this.picked = platform;
    if (!this.#isOpen()) this.#input.value = platform?.name ?? "";
  }

  #isOpen() {
    return this.#input.getAttribute("aria-expanded") === "true";
  }

  /** @param {string} query */
  #open(query) {
    if (!this.#isOpen() && !query) this.#input.select();
    const found = listed(this.#platforms, query, this.recent);
    // Nobody is left with an empty list: one of them fits all.
    const any = { name: "any", platforms: this.#platforms.filter(({ id }) => id === ANY) };
    const groups = found.length ? found : [any];
    this.#matches = groups.flatMap(({ platforms }) => platforms);
    this.#list.replaceChildren(...groups.map((group) => this.#group(group)));
    setText(this.#note, found.length ? "" : this.#words.messages.picker.none);
    this.#list.hidden = false;
    this.#input.setAttribute("aria-expanded", "true");
    this.#activate(query ? 0 : this.picked ? this.#matches.indexOf(this.picked) : -1);
  }

  /** With a heading, where the whole list stands there. @param {Group} group */
  #group({ name, platforms }) {
    const label = this.#words.nameOf(name, "picker");
    return el(
      "li",
      { role: "presentation" },
      el("span", { class: "meta", "aria-hidden": "true", text: label }),
      el("ul", { role: "group", "aria-label": label }, ...platforms.map((platform) => this.#option(platform))),
    );
  }

  /** @param {Platform} platform */
  #option(platform) {
    const chosen = platform === this.picked;
    const id = `${this.#list.id}-${platform.id}`;
    const option = { role: "option", id, "aria-selected": chosen, "data-platform": platform.id };
    return el("li", option, platform.name, chosen ? icon("check") : null);
  }

  /** @param {number} index */
  #activate(index) {
    const options = [...this.#list.querySelectorAll("[role=option]")];
    this.#active = index < 0 || !options.length ? -1 : index % options.length;
    for (const [i, option] of options.entries()) option.classList.toggle("active", i === this.#active);
    this.#input.setAttribute("aria-activedescendant", options[this.#active]?.id ?? "");
    options[this.#active]?.scrollIntoView({ block: "nearest" });
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { key } = event;
    const isOpen = this.#isOpen();
    const step = key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0;
    if (step && isOpen) this.#move(step);
    else if (step) this.#open("");
    else if (key === "Enter" && isOpen) this.#pick(this.#matches[this.#active]);
    else if (key === "Escape" && isOpen) this.#close();
    else return;
    event.preventDefault();
  }

  /** @param {number} step */
  #move(step) {
    const count = this.#matches.length;
    this.#activate(this.#active < 0 && step < 0 ? count - 1 : (this.#active + step + count) % (count || 1));
  }

  /** @param {MouseEvent} event */
  #clicked({ target }) {
    const option = target instanceof Element ? target.closest("[role=option]") : null;
    const id = option instanceof HTMLElement ? option.dataset.platform : null;
    if (id) this.#pick(this.#platforms.find((platform) => platform.id === id));
  }

  /** @param {Platform | undefined} platform */
  #pick(platform) {
    if (!platform) return;
    const changed = platform !== this.picked;
    this.picked = platform;
    this.#close();
    this.#input.select(); // the next letters are a new search
    if (changed) this.#onPick(platform);
  }

  #close() {
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.setAttribute("aria-activedescendant", "");
    this.#list.hidden = true;
    if (this.#note.textContent === this.#words.messages.picker.none) setText(this.#note, "");
    this.#input.value = this.picked?.name ?? "";
  }
}

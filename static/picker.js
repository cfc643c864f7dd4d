/**
 * The platform picker: an editable combobox with a list that narrows as one
 * types (WAI-ARIA, "list autocomplete"). The focus stays in the input;
 * `aria-activedescendant` names the option.
 */

import { el, icon } from "./dom.js";

/** Those where every word typed begins a word of the name or a keyword. */
export function search(platforms, query) {
  const typed = wordsOf(query);
  return platforms.filter(({ name, keywords = [] }) => {
    const known = wordsOf([name, ...keywords].join(" "));
    return typed.every((word) => known.some((other) => other.startsWith(word)));
  });
}

const wordsOf = (text) => text.toLowerCase().split(/[^\p{L}\p{N}#+]+/u).filter(Boolean);

export class Picker {
  #input;
  #list;
  #platforms;
  #onPick;
  #matches = [];
  #active = -1;

  /** @param {Element} root holds an `input[role=combobox]` and a `[role=listbox]` */
  constructor(root, platforms, picked, onPick) {
    this.#input = root.querySelector("[role=combobox]");
    this.#list = root.querySelector("[role=listbox]");
    this.#platforms = platforms;
    this.#onPick = onPick;
    this.picked = picked;
    this.#listen();
    this.#catchUp();
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

  /** This module may have arrived after the first click or letter. */
  #catchUp() {
    const { value } = this.#input;
    if (value && value !== this.picked?.name) this.#open(value);
    else if (this.#input.matches(":focus:hover")) this.#open("");
    else this.show(this.picked);
  }

  /** Shows a platform as picked without telling anybody. */
  show(platform) {
    this.picked = platform;
    if (!this.#isOpen()) this.#input.value = platform?.name ?? "";
  }

  #isOpen() {
    return this.#input.getAttribute("aria-expanded") === "true";
  }

  #open(query) {
    if (!this.#isOpen() && !query) this.#input.select();
    this.#matches = search(this.#platforms, query);
    const rows = this.#matches.map((platform) => this.#option(platform));
    const none = { role: "presentation", text: "No match. “Any SDK” works with all of them." };
    if (!rows.length) rows.push(el("li", none));
    this.#list.replaceChildren(...rows);
    this.#list.hidden = false;
    this.#input.setAttribute("aria-expanded", "true");
    this.#activate(query ? 0 : this.#matches.indexOf(this.picked));
  }

  #option(platform) {
    const chosen = platform === this.picked;
    const id = `${this.#list.id}-${platform.id}`;
    const option = { role: "option", id, "aria-selected": chosen, "data-platform": platform.id };
    return el("li", option, platform.name, chosen ? icon("check") : null);
  }

  #activate(index) {
    const options = [...this.#list.querySelectorAll("[role=option]")];
    this.#active = index < 0 || !options.length ? -1 : index % options.length;
    options.forEach((option, i) => option.classList.toggle("active", i === this.#active));
    this.#input.setAttribute("aria-activedescendant", options[this.#active]?.id ?? "");
    options[this.#active]?.scrollIntoView({ block: "nearest" });
  }

  #key(event) {
    const { key } = event;
    const isOpen = this.#isOpen();
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (step && isOpen) this.#move(step);
    else if (step) this.#open("");
    else if (key === "Enter" && isOpen) this.#pick(this.#matches[this.#active]);
    else if (key === "Escape" && isOpen) this.#close();
    else return;
    event.preventDefault();
  }

  #move(step) {
    const count = this.#matches.length;
    this.#activate(this.#active < 0 && step < 0 ? count - 1 : (this.#active + step + count) % (count || 1));
  }

  #clicked(event) {
    const id = event.target.closest("[role=option]")?.dataset.platform;
    if (id) this.#pick(this.#platforms.find((platform) => platform.id === id));
  }

  #pick(platform) {
    if (!platform) return;
    const changed = platform !== this.picked;
    this.picked = platform;
    this.#close();
    if (changed) this.#onPick(platform);
  }

  #close() {
    this.#input.setAttribute("aria-expanded", "false");
    this.#input.setAttribute("aria-activedescendant", "");
    this.#list.hidden = true;
    this.#input.value = this.picked?.name ?? "";
  }
}

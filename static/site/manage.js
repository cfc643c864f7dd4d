/** What can be done with one project: rename, keys, a link for others, and the end of it. Made when it is opened. */

import { refusedBecause } from "../core/evidence.js";
import { write } from "../elements/copy.js";
import { el, part, setText } from "../elements/dom.js";

/** @import { Project } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */
/** @import { Owner } from "./owner.js" */

const DAY = 24 * 3600;
/** In days; the server's longest is the last. */
const TERMS = [1, 7, 30];

export class Manage {
  #row;
  #words;
  #say;
  #owner;
  #project;
  #tell;

  /**
   * @param {HTMLElement} row of the project
   * @param {Words} words
   * @param {Owner} owner
   * @param {Project} project changed in place: it is the list's own
   * @param {{ changed: () => void, gone: () => void }} tell
   */
  constructor(row, words, owner, project, tell) {
    this.#row = row;
    this.#words = words;
    this.#say = words.messages.manage;
    this.#owner = owner;
    this.#project = project;
    this.#tell = tell;
    const label = words.say(this.#say.button_of, { name: project.name });
    const button = el("button", {
      type: "button",
      class: "quiet manage",
      "aria-expanded": "false",
      "aria-label": label,
    });
    button.textContent = this.#say.button;
    button.addEventListener("click", () => this.#toggle(button));
    row.append(button);
  }

  /** @param {HTMLElement} button */
  #toggle(button) {
    const open = this.#row.querySelector(".panel");
    button.setAttribute("aria-expanded", String(!open));
    if (open) open.remove();
    else this.#row.append(this.#panel());
  }

  #panel() {
    const result = el("p", { class: "meta manage-result", role: "status" });
    return el("div", { class: "panel" }, this.#rename(), this.#keys(), this.#share(), this.#remove(), result);
  }

  #rename() {
    const input = el("input", {
      "aria-label": this.#say.name,
      maxlength: 100,
      required: "",
      value: this.#project.name,
    });
    return this.#form("rename", [input, this.#button(this.#say.rename)], async () => {
      const { id, platform } = this.#project;
      const body = { name: input.value.trim(), platform };
      if (!(await this.#done(`projects/${id}`, { method: "PUT", body }))) return;
      this.#project.name = body.name;
      this.#tell.changed();
      this.#result(this.#say.renamed);
    });
  }

  #keys() {
    const rows = (this.#project.keys ?? []).map(({ key, enabled }) => this.#key(key, enabled));
    const add = el("button", { type: "button", class: "rotate", text: this.#say.rotate });
    add.addEventListener("click", async () => {
      const made = await this.#done(`projects/${this.#project.id}/keys`, { method: "POST" });
      if (!made) return;
      this.#project.keys = (await made.json()).keys;
      this.#redrawKeys();
      this.#result(this.#say.rotated);
    });
    return el("div", { class: "keys" }, el("ul", {}, rows), add);
  }

  #redrawKeys() {
    part(this.#row, "keys").replaceWith(this.#keys());
    part(this.#row, "rotate").focus();
  }

  /** @param {string} key @param {boolean} enabled */
  #key(key, enabled) {
    const end = `…${key.slice(-4)}`;
    const { disable, disable_sure: sure, disabled } = this.#say;
    if (!enabled) return el("li", {}, el("code", { text: end }), " ", el("span", { class: "meta", text: disabled }));
    const button = el("button", {
      type: "button",
      class: "quiet disable",
      text: this.#words.say(disable, { key: end }),
    });
    button.addEventListener("click", async () => {
      // The second click is meant: an app with this key is refused from then on.
      const question = this.#words.say(sure, { key: end });
      if (!button.classList.contains("sure")) {
        button.classList.add("sure");
        return setText(button, question);
      }
      if (!(await this.#done(`projects/${this.#project.id}/keys/${key}`, { method: "DELETE" }))) return;
      this.#project.keys = this.#project.keys?.map((each) => (each.key === key ? { key, enabled: false } : each));
      this.#redrawKeys();
      this.#result(this.#words.say(this.#say.was_disabled, { key: end }));
    });
    return el("li", {}, button);
  }

  #share() {
    const { share_for: label, share, days, shared } = this.#say;
    const options = TERMS.map((count) => el("option", { value: count, text: this.#words.say(days, { count }) }));
    const term = el("select", { "aria-label": label }, options);
    return this.#form("share", [term, this.#button(share)], async () => {
      const body = { expires_in: Number(term.value) * DAY, scope: "view" };
      const made = await this.#done(`projects/${this.#project.id}/tokens`, { method: "POST", body });
      if (!made) return;
      const { url } = await made.json();
      const time = this.#words.say(days, { count: Number(term.value) });
      this.#result((await write(url)) ? this.#words.say(shared, { time }) : url);
    });
  }

  #remove() {
    const { type_name: label, remove } = this.#say;
    const { id, name } = this.#project;
    const text = this.#words.say(label, { name });
    const input = el("input", { "aria-label": text, placeholder: text, autocomplete: "off" });
    const button = this.#button(remove);
    button.disabled = true;
    input.addEventListener("input", () => {
      button.disabled = input.value !== this.#project.name;
    });
    return this.#form("delete", [input, button], async () => {
      if (await this.#done(`projects/${id}`, { method: "DELETE" })) this.#tell.gone();
    });
  }

  /** @param {string} name @param {Node[]} parts @param {() => void} submit */
  #form(name, parts, submit) {
    const form = el("form", { class: name }, parts);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      submit();
    });
    return form;
  }

  /** @param {string} text */
  #button = (text) => el("button", { text });

  /**
   * The answer, or null after it was said why there is none.
   *
   * @param {string} path
   * @param {{ method: string, body?: object }} options
   */
  async #done(path, options) {
    const answer = await this.#owner.ask(path, options).catch(() => null);
    if (answer?.ok) return answer;
    const told = await answer?.json().catch(() => null);
    const { failed, no_answer: none } = this.#words.messages.start;
    const known = refusedBecause(told, this.#words);
    this.#result(known ?? (answer ? this.#words.say(failed, { status: answer.status }) : none));
    return null;
  }

  /** @param {string} text */
  #result(text) {
    setText(part(this.#row, "manage-result"), text);
  }
}

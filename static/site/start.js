/** The start page: makes a project, or leads to one of the existing. */

import { refusedBecause } from "../core/evidence.js";
import { loadWords } from "../core/load.js";
import { Platforms } from "../core/platforms.js";
import { part, setText } from "../elements/dom.js";
import { Language } from "../elements/language.js";
import { Picker } from "../elements/picker.js";
import { Theme } from "../elements/theme.js";
import { Owner } from "./owner.js";
import { Projects } from "./projects.js";

/** @import { Platform } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

class StartPage {
  #words;
  #picker;
  #owner;
  #projects;

  /** @param {Owner} owner @param {Words} words @param {Platform[]} platforms */
  constructor(owner, words, platforms) {
    this.#words = words;
    this.#owner = owner;
    this.#picker = new Picker(part(document, "picker"), words, platforms, platforms[0], () => {});
    this.#projects = new Projects(part(document, "known"), words, platforms, owner);
    this.theme = new Theme(part(document, "theme"));
    this.language = new Language(part(document, "tongue", HTMLSelectElement), new URL("../../", import.meta.url));
    part(document, "create").addEventListener("submit", (event) => this.#submit(event));
    part(document, "unlock").addEventListener("submit", (event) => this.#unlock(event));
  }

  /** Draws the projects, or asks for a token. Gives the answer's status. */
  async list() {
    const status = await this.#projects.load();
    const locked = status === 401 || status === 403;
    part(document, "gate").hidden = !locked;
    part(document, "create").hidden = locked;
    return status;
  }

  /** @param {Event} event */
  async #submit(event) {
    event.preventDefault();
    const button = part(document, "submit", HTMLButtonElement);
    button.disabled = true;
    say("create-error", "");
    say("create-error", await this.#create().catch(() => this.#words.messages.start.no_answer));
    button.disabled = false;
  }

  /** Why it could not be made, if so. */
  async #create() {
    const body = { name: field("create", "name").value.trim(), platform: this.#picker.picked?.id ?? null };
    const answer = await this.#owner.ask("projects", { method: "POST", body });
    const told = await answer.json().catch(() => null);
    if (!answer.ok) {
      const { failed } = this.#words.messages.start;
      return refusedBecause(told, this.#words) ?? this.#words.say(failed, { status: answer.status });
    }
    await this.#owner.open(told.id);
    return "";
  }

  /** @param {Event} event */
  async #unlock(event) {
    event.preventDefault();
    const token = field("unlock", "token");
    this.#owner.token = token.value;
    const status = await this.list().catch(() => null);
    if (status === 200) token.value = "";
    else this.#owner.token = null;
    const { no_answer: none, wrong_token: wrong } = this.#words.messages.start;
    say("unlock-error", status === 200 ? "" : status === null ? none : wrong);
  }
}

/** @param {string} form @param {string} name */
function field(form, name) {
  return /** @type {HTMLInputElement} */ (part(document, form, HTMLFormElement).elements.namedItem(name));
}

/** @param {string} where @param {string} text */
function say(where, text) {
  const node = part(document, where);
  setText(node, text);
  node.hidden = !text;
}

async function main() {
  const site = new URL("../", import.meta.url);
  const ask = (/** @type {URL} */ url) => fetch(url);
  const platforms = new Platforms(new URL("platforms/", site), ask).index();
  const words = await loadWords(new URL("messages/", site), document.documentElement.lang, ask);
  await new StartPage(new Owner(new URL("../", site)), words, await platforms).list();
}

main();

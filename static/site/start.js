/** The start page: makes a project, or leads to one of the existing. */

import { joined } from "../core/format.js";
import { loadWords } from "../core/load.js";
import { Platforms } from "../core/platforms.js";
import { el, part, setText } from "../elements/dom.js";
import { Picker } from "../elements/picker.js";

/** @import { Platform, Project } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

class StartPage {
  #root;
  #words;
  #platforms;
  #picker;
  /** Kept in memory only: it opens every project. @type {string | null} */
  #adminToken = null;
  /** Where the next page of projects starts. @type {string | null} */
  #next = null;

  /** @param {URL} root of the server @param {Words} words @param {Platform[]} platforms */
  constructor(root, words, platforms) {
    this.#root = root;
    this.#words = words;
    this.#platforms = platforms;
    this.#picker = new Picker(part(document, "picker"), words, platforms, platforms[0], () => {});
    part(document, "create").addEventListener("submit", (event) => this.#submit(event));
    part(document, "unlock").addEventListener("submit", (event) => this.#unlock(event));
    part(document, "more-projects").addEventListener("click", () => this.list());
  }

  /** Draws the next page of projects, or asks for a token. Gives the answer's status. */
  async list() {
    const query = this.#next ? `?after=${encodeURIComponent(this.#next)}` : "";
    const answer = await this.#ask(`projects${query}`);
    const locked = answer.status === 401 || answer.status === 403;
    part(document, "gate").hidden = !locked;
    part(document, "create").hidden = locked;
    if (!answer.ok) return answer.status;
    const page = await answer.json();
    this.#next = page.next;
    const list = part(document, "projects");
    list.append(...page.projects.map((/** @type {Project} */ project) => this.#row(project)));
    part(document, "known").hidden = list.childElementCount === 0;
    part(document, "more-projects").hidden = !page.next;
    return answer.status;
  }

  /** @param {string} path @param {{ method?: string, body?: object }} [options] */
  #ask(path, { method, body } = {}) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (this.#adminToken) headers.Authorization = `Bearer ${this.#adminToken}`;
    if (body) headers["Content-Type"] = "application/json";
    return fetch(new URL(path, this.#root), { method, headers, body: body && JSON.stringify(body) });
  }

  /** @param {Project} project */
  #row({ id, name, platform, created_at: iso }) {
    const created = Date.parse(iso ?? "");
    const known = this.#platforms.find((other) => other.id === platform)?.name ?? platform;
    const about = joined(known, this.#words.ago(created, Date.now()));
    const link = el(
      "a",
      { href: new URL(`onboarding/${id}`, this.#root).href },
      el("span", { class: "name", dir: "auto", text: name, title: name }),
      el("span", { class: "meta", title: this.#words.exact(created), text: about }),
    );
    link.addEventListener("click", (event) => {
      if (!this.#adminToken || event.metaKey || event.ctrlKey) return;
      event.preventDefault();
      this.#go(id);
    });
    return el("li", { "data-project": id }, link);
  }

  /**
   * Another page needs its own, smaller permission; the admin token stays here.
   *
   * @param {string} id
   */
  async #go(id) {
    const target = new URL(`onboarding/${id}`, this.#root);
    if (this.#adminToken) {
      const answer = await this.#ask(`projects/${id}/tokens`, { method: "POST", body: { scope: "owner" } });
      if (answer.ok) target.hash = `token=${(await answer.json()).token}`;
    }
    location.assign(target);
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
    const answer = await this.#ask("projects", { method: "POST", body });
    const told = await answer.json().catch(() => null);
    if (!answer.ok) {
      return told?.detail ?? this.#words.say(this.#words.messages.start.failed, { status: answer.status });
    }
    await this.#go(told.id);
    return "";
  }

  /** @param {Event} event */
  async #unlock(event) {
    event.preventDefault();
    const token = field("unlock", "token");
    this.#adminToken = token.value;
    const status = await this.list().catch(() => null);
    if (status === 200) token.value = "";
    else this.#adminToken = null;
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
  await new StartPage(new URL("../", site), words, await platforms).list();
}

main();

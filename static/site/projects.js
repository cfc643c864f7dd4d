/** The projects, the newest first: how far each is, and what whoever may do so can change. */

import { joined, time } from "../core/format.js";
import { headline } from "../core/headline.js";
import { initialState, reduce } from "../core/state.js";
import { sdkText } from "../core/words.js";
import { el, part, setText } from "../elements/dom.js";
import { Manage } from "./manage.js";

/** @import { Platform, Project } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */
/** @import { Owner } from "./owner.js" */

/** So many stand there at once: each is asked for how far it is. */
const SHOWN = 20;

/** @param {Project} a @param {Project} b */
const newestFirst = (a, b) => (time(b.created_at) ?? 0) - (time(a.created_at) ?? 0) || Number(b.id) - Number(a.id);

export class Projects {
  #root;
  #list;
  #words;
  #platforms;
  #owner;
  /** @type {Project[]} */
  #all = [];
  #shown = SHOWN;
  /** Where the next page starts. @type {string | null} */
  #next = null;

  /**
   * @param {HTMLElement} root
   * @param {Words} words
   * @param {Platform[]} platforms
   * @param {Owner} owner
   */
  constructor(root, words, platforms, owner) {
    this.#root = root;
    this.#list = part(root, "projects");
    this.#words = words;
    this.#platforms = platforms;
    this.#owner = owner;
    part(root, "more-projects").addEventListener("click", () => this.#more());
    this.#search.addEventListener("input", () => this.#draw());
  }

  /** The status of the answer. @returns {Promise<number>} */
  async load() {
    const { status, page } = await this.#owner.projects(this.#next);
    if (!page) return status;
    this.#next = page.next;
    this.#all = [...this.#all, ...page.projects].sort(newestFirst);
    this.#draw();
    return status;
  }

  get #search() {
    return part(this.#root, "search", HTMLInputElement);
  }

  async #more() {
    this.#shown += SHOWN;
    if (this.#shown > this.#all.length && this.#next) await this.load();
    else this.#draw();
  }

  #draw() {
    const query = this.#search.value.trim().toLowerCase();
    const found = this.#all.filter(({ id, name }) => id === query || name.toLowerCase().includes(query));
    const shown = found.slice(0, this.#shown);
    this.#root.hidden = this.#all.length === 0;
    part(this.#root, "search-box").hidden = this.#all.length < 2;
    part(this.#root, "none-found").hidden = found.length > 0;
    part(this.#root, "more-projects").hidden = shown.length === found.length && !this.#next;
    const known = new Map(
      [...this.#list.children].map((row) => [/** @type {HTMLElement} */ (row).dataset.project, row]),
    );
    this.#list.replaceChildren(...shown.map((project) => known.get(project.id) ?? this.#row(project)));
  }

  /** @param {Project} project */
  #row(project) {
    const { id } = project;
    const name = el("span", { class: "name", dir: "auto" });
    const about = el("span", { class: "meta about" });
    const link = el("a", { href: this.#owner.pageOf(id).href }, name, about);
    link.addEventListener("click", (event) => {
      if (!this.#owner.token || event.metaKey || event.ctrlKey) return;
      event.preventDefault();
      this.#owner.open(id);
    });
    const row = el("li", { "data-project": id }, link);
    new Manage(row, this.#words, this.#owner, project, {
      changed: () => this.#name(row, project),
      gone: () => this.#drop(id),
    });
    this.#name(row, project);
    this.#follow(row, project);
    return row;
  }

  /** @param {HTMLElement} row @param {Project} project */
  #name(row, { name }) {
    const node = part(row, "name");
    setText(node, name);
    node.title = name;
  }

  /** How far it is: the same sentence as on its page. @param {HTMLElement} row @param {Project} project */
  async #follow(row, { id, platform, created_at: iso }) {
    const now = Date.now();
    const known = this.#platforms.find((other) => other.id === platform)?.name ?? platform;
    const about = part(row, "about");
    setText(about, joined(known, this.#words.ago(time(iso) ?? now, now)));
    const message = await this.#owner.snapshot(id);
    if (!message) return;
    const state = reduce({ ...initialState(now), link: { state: "live" } }, { message, fresh: true, at: now });
    const { mood, text } = headline(state, this.#words, now);
    row.dataset.mood = mood;
    row.dataset.stage = message.stage;
    const sdk = sdkText(state.snapshot?.sdk ?? {}) || known;
    setText(about, joined(text, sdk, this.#words.lastSeen(state, now) || this.#words.ago(time(iso) ?? now, now)));
  }

  /** @param {string} id */
  #drop(id) {
    this.#all = this.#all.filter((project) => project.id !== id);
    this.#draw();
    this.#search.focus();
  }
}

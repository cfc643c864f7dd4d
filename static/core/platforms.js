/** The platforms' files: one small index, and what one platform needs, fetched when it is chosen. */

import { compose, HEARTBEAT, isPossible, tableNames, turnOn } from "./compose.js";
import { STEPS, textOf } from "./snippets.js";

/** @import { Platform, PlatformFile, Step, Table, WrittenFile } from "./types.js" */

export class Platforms {
  #folder;
  #fetch;
  /** @type {Map<string, Promise<any>>} as many as there are platforms */
  #files = new Map();

  /** @param {URL} folder ends with a slash @param {(url: URL) => Promise<Response>} fetch */
  constructor(folder, fetch) {
    this.#folder = folder;
    this.#fetch = fetch;
  }

  /** All platforms, for the picker and for guessing. @returns {Promise<Platform[]>} */
  async index() {
    const { platforms } = await this.#json("index");
    return Promise.all(platforms.map((/** @type {Platform} */ platform) => this.#grammar(platform)));
  }

  /**
   * The steps of one platform.
   *
   * @param {string} id
   * @param {string[]} [chosen] features
   * @returns {Promise<PlatformFile>}
   */
  async file(id, chosen = []) {
    const { file, tables } = await this.#written(id, chosen);
    const { steps, features } = compose(file, tables, chosen);
    const [install, configure, error] = await Promise.all(STEPS.map((name) => this.#step(steps[name])));
    return { steps: { install, configure, error }, features, checked: file.checked };
  }

  /**
   * What turns a feature on; null where the platform does not have it.
   *
   * @param {string} id
   * @param {string} name
   * @param {string[]} [on] features that are on, and stay so
   * @returns {Promise<Step | null>}
   */
  async feature(id, name, on = []) {
    const { file, tables } = await this.#written(id);
    const step = turnOn(file, tables, name, on);
    return step && this.#step(step);
  }

  /**
   * The file that reports a start; null where that is no file of its own.
   *
   * @param {string} id
   */
  async client(id) {
    const { steps } = await this.file(id, [HEARTBEAT]);
    const path = /\{\{server\}\}\/(clients\/[\w./-]+)/.exec(textOf(steps.install.code))?.[1];
    return path ? new URL(`../../${path}`, this.#folder) : null;
  }

  /**
   * The features that a platform can have.
   *
   * @param {string} id
   * @returns {Promise<string[]>}
   */
  async possible(id) {
    const { file, tables } = await this.#written(id);
    const table = { ...tables[file.features], ...file.own };
    return Object.keys(table).filter((name) => isPossible(table[name]));
  }

  /**
   * A platform's file, and what its features are filled in from; without what a platform says for itself anyway.
   *
   * @param {string} id
   * @param {string[]} [chosen]
   * @returns {Promise<{ file: WrittenFile, tables: Record<string, Table> }>}
   */
  async #written(id, chosen) {
    const file = await this.#json(id);
    const isEnough = chosen?.every((name) => name in (file.own ?? {}) || name === HEARTBEAT);
    const names = isEnough ? [] : tableNames(file);
    const tables = await Promise.all(names.map((name) => this.#json(`features-${name}`)));
    return { file, tables: Object.fromEntries(names.map((name, i) => [name, tables[i]])) };
  }

  /** @param {Step} step @returns {Promise<Step>} */
  async #step({ also = [], ...first }) {
    return { ...(await this.#grammar(first)), also: await Promise.all(also.map((part) => this.#grammar(part))) };
  }

  /**
   * The same with the language as the highlighter knows it: a new one needs a line in its family's file and no other.
   *
   * @template {{ language?: string }} T
   * @param {T} written
   * @returns {Promise<T>}
   */
  async #grammar(written) {
    const { languages } = await this.#json("index");
    const language = languages[written.language ?? ""];
    return language ? { ...written, language } : written;
  }

  /** Asked for once; what failed is asked for again the next time. @param {string} name */
  #json(name) {
    const known = this.#files.get(name) ?? this.#load(name);
    this.#files.set(name, known);
    known.catch(() => this.#files.delete(name));
    return known;
  }

  /** @param {string} name @returns {Promise<any>} */
  async #load(name) {
    const answer = await this.#fetch(new URL(`${name}.json`, this.#folder));
    if (!answer.ok) throw new Error(`${answer.status} for ${name}`);
    return answer.json();
  }
}

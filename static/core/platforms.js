/** The platforms' files: one small index, and what one platform needs, fetched when it is chosen. */

/** @import { Platform, PlatformFile, Snippet } from "./types.js" */

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
    return (await this.#json("index")).platforms;
  }

  /**
   * The steps of one platform.
   *
   * @param {string} id
   * @returns {Promise<PlatformFile>}
   */
  file(id) {
    return this.#json(id);
  }

  /**
   * What turns a feature on; null where the platform does not have it.
   *
   * @param {string} id
   * @param {string} name
   */
  async feature(id, name) {
    const { features } = await this.file(id);
    /** @type {Record<string, Snippet> | undefined} */
    const all = typeof features === "string" ? await this.#json(`features-${features}`) : features;
    return all?.[name] ?? null;
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

/** What the page asks of the server, for one project. */

/** @import { Project } from "../core/types.js" */

export class Server {
  /** Only where a cookie could not be had. @type {string | null} */
  token = null;
  #id;

  /** @param {URL} root of the server @param {string} id the project's */
  constructor(root, id) {
    this.root = root;
    this.#id = id;
  }

  /** Where snapshots come from. */
  get live() {
    return new URL(`live/${this.#id}`, this.root);
  }

  /** Null where it is not ours to see, or nobody answers. @returns {Promise<Project | null>} */
  async project() {
    const answer = await this.#call(`projects/${this.#id}`).catch(() => null);
    return answer?.ok ? answer.json() : null;
  }

  /**
   * So that words and code fit for everybody who looks at this project. It works without, too.
   *
   * @param {string} platform
   */
  async rememberPlatform(platform) {
    await this.#call(`projects/${this.#id}`, "PATCH", { body: JSON.stringify({ platform }) }).catch(() => null);
  }

  /**
   * A link that lets somebody else look on; this page's own address where there is no permission to make one, or no need.
   *
   * @param {number} seconds that it is good for
   * @returns {Promise<{ link: string, isLimited: boolean }>}
   */
  async invite(seconds) {
    const body = JSON.stringify({ expires_in: seconds, scope: "view" });
    const answer = await this.#call(`projects/${this.#id}/tokens`, "POST", { body }).catch(() => null);
    if (answer?.ok) return { link: (await answer.json()).url, isLimited: true };
    return { link: new URL(`onboarding/${this.#id}`, this.root).href, isLimited: false };
  }

  /** Where the prompt for a coding agent is. @param {string} platform @param {string} dsn */
  prompt(platform, dsn) {
    return new URL(`prompt.md?${new URLSearchParams({ platform, dsn })}`, this.root);
  }

  reset() {
    return this.#call(`projects/${this.#id}/reset`, "POST");
  }

  /** @param {string} token for which a cookie is wanted */
  trade(token) {
    return this.#call(`live/${this.#id}/cookie`, "POST", { token });
  }

  /**
   * @param {string} path
   * @param {string} [method]
   * @param {{ token?: string | null, body?: string }} [options]
   */
  #call(path, method = "GET", { token = this.token, body } = {}) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body) headers["Content-Type"] = "application/json";
    return fetch(new URL(path, this.root), { method, headers, body });
  }
}

/** What an owner asks of the server. */

/** @import { Message, Project } from "../core/types.js" */

/** As many as the server gives at once. */
const PAGE = 500;

export class Owner {
  /** Kept in memory only: it opens every project. @type {string | null} */
  token = null;
  #root;

  /** @param {URL} root of the server */
  constructor(root) {
    this.#root = root;
  }

  /** @param {string} id */
  pageOf = (id) => new URL(`onboarding/${id}`, this.#root);

  /** @param {string | null} after @returns {Promise<{ status: number, page?: { projects: Project[], next: string | null } }>} */
  async projects(after) {
    const query = after ? `&after=${encodeURIComponent(after)}` : "";
    const answer = await this.ask(`projects?limit=${PAGE}${query}`);
    return answer.ok ? { status: answer.status, page: await answer.json() } : { status: answer.status };
  }

  /** Null where nobody answers. @param {string} id @returns {Promise<Message | null>} */
  async snapshot(id) {
    const answer = await this.ask(`live/${id}`).catch(() => null);
    return answer?.ok ? answer.json() : null;
  }

  /**
   * Another page needs its own, smaller permission; the admin token stays here.
   *
   * @param {string} id
   */
  async open(id) {
    const target = this.pageOf(id);
    if (this.token) {
      const answer = await this.ask(`projects/${id}/tokens`, { method: "POST", body: { scope: "owner" } });
      if (answer.ok) target.hash = `token=${(await answer.json()).token}`;
    }
    location.assign(target);
  }

  /** @param {string} path @param {{ method?: string, body?: object }} [options] */
  ask(path, { method, body } = {}) {
    /** @type {Record<string, string>} */
    const headers = {};
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (body) headers["Content-Type"] = "application/json";
    return fetch(new URL(path, this.#root), { method, headers, body: body && JSON.stringify(body) });
  }
}

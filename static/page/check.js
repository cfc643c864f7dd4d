/** "Check my setup": runs the probes one by one, and tells each result and its fix. */

import { causeOf, ROWS, Verdict } from "../core/verdict.js";
import { Check } from "../elements/check.js";
import * as probe from "./probe.js";

/** @import { Cause, Facts, LinkName, Result, Target } from "../core/types.js" */
/** @import { Row } from "../core/verdict.js" */
/** @import { Words } from "../core/words.js" */
/** @import { Found } from "./blocked.js" */

/**
 * @typedef {object} World What the check sees of the page.
 * @property {() => { name: LinkName, text: string }} link
 * @property {(patience: number) => Promise<number | null>} seen when a viewer saw the next check, or null
 * @property {(found: Found) => void} found takes what blocks this browser
 */

const LARGE = 1024 * 1024;
const PATIENCE = 5_000;

export class SetupCheck {
  #element;
  #verdict;
  #root;
  #world;
  #running = false;
  /** @type {Partial<Record<Row, Result>>} */
  #rows = {};

  /**
   * @param {HTMLElement} element see `check.html`
   * @param {Words} words
   * @param {URL} root of the server
   * @param {World} world
   */
  constructor(element, words, root, world) {
    this.#verdict = new Verdict(words);
    this.#element = new Check(element, words, this.#verdict);
    this.#root = root;
    this.#world = world;
  }

  /** @param {Target} target */
  async run(target) {
    if (this.#running) return;
    this.#running = true;
    this.#rows = {};
    this.#element.start();
    try {
      if (await this.#path(target)) await this.#bodies(target);
    } finally {
      this.#running = false;
    }
    this.#element.end(this.#rows);
  }

  /** @param {Row} row @param {Result} result */
  #tell(row, result) {
    this.#rows[row] = result;
    this.#element.draw(this.#rows);
  }

  /** Whether requests get through at all. @param {Target} target */
  async #path(target) {
    const { name, text } = this.#world.link();
    this.#tell("link", this.#verdict.link(name, text));
    const health = await probe.health(target);
    const cause = await this.#whyNot(target, health, probe.health);
    const path = this.#verdict.path(health, cause);
    this.#tell("path", path);
    if (!path.ok) {
      for (const row of ROWS.slice(2)) this.#tell(row, this.#verdict.skipped);
      this.#world.found({ cause, address: target.ingest });
      return false;
    }
    this.#tell("key", this.#verdict.key(health));
    await this.#endpoint(target);
    this.#tell("cors", this.#verdict.cors(health));
    this.#tell("clock", this.#verdict.clock(health));
    return true;
  }

  /** @param {Target} target */
  async #endpoint(target) {
    const endpoint = await probe.endpoint(target);
    const cause = await this.#whyNot(target, endpoint, probe.endpoint);
    this.#tell("endpoint", this.#verdict.endpoint(endpoint, cause));
    this.#world.found({ cause, address: `${target.ingest}/envelope/` });
  }

  /** What a body meets on its way, and whether a viewer sees it. @param {Target} target */
  async #bodies(target) {
    const start = performance.now();
    const arrival = this.#world.seen(PATIENCE);
    const small = await probe.post(target, 2);
    this.#tell("small", this.#verdict.body(small, 2));
    this.#tell("large", this.#verdict.body(await probe.post(target, LARGE), LARGE));
    const away = new URL(target.ingest).origin !== location.origin;
    this.#tell("preflight", this.#verdict.preflight(await probe.preflight(target), away));
    if (small.status !== 200) return this.#tell("trip", this.#verdict.skipped);
    const at = await arrival;
    this.#tell("trip", this.#verdict.trip(at === null ? null : at - start));
  }

  /**
   * @param {Target} target
   * @param {Facts} facts
   * @param {(target: Target) => Promise<Facts>} attempt
   * @returns {Promise<Cause | null>}
   */
  async #whyNot(target, facts, attempt) {
    return facts.failed ? causeOf(await probe.circumstances(target, this.#root, () => attempt(target))) : null;
  }
}

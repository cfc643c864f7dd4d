/** What is seen beside the steps' code: problems where they belong, the first error, facts, features and signals. */

import { placeOf } from "../core/spine.js";
import { stageOf } from "../core/state.js";
import { Arrived } from "../elements/arrived.js";
import { part } from "../elements/dom.js";
import { Environments } from "../elements/environments.js";
import { Facts } from "../elements/facts.js";
import { Features } from "../elements/features.js";
import { FirstError } from "../elements/first-error.js";
import { Problems } from "../elements/problems.js";
import { Readable } from "../elements/readable.js";
import { Runs } from "../elements/runs.js";
import { Signals } from "../elements/signals.js";

/** @import { Problem, State, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */
/** @import { Help } from "../elements/features.js" */

const PLACES = /** @type {const} */ ([
  ["configure", '[data-step="configure"] .problems'],
  ["error", '[data-step="error"] .problems'],
  ["rest", ".rest .problems"],
]);

export class Details {
  #lists;
  #error;
  #readable;
  #facts;
  #signals;
  #arrived;
  #environments;
  #runs;

  /**
   * @param {HTMLElement} root
   * @param {Words} words
   * @param {URL} docs what the problems' links are relative to
   * @param {(name: string, on: string[]) => Promise<Help> | null} help what turns a feature on
   */
  constructor(root, words, docs, help) {
    this.#lists = PLACES.map(([place, where]) => {
      const list = /** @type {HTMLElement} */ (root.querySelector(where));
      return { place, list: new Problems(list, words, docs) };
    });
    this.#error = new FirstError(part(root, "first-error"), words);
    this.#readable = new Readable(part(root, "readable"), words);
    this.#facts = new Facts(part(root, "facts-box"), words);
    this.features = new Features(part(root, "features"), words, help);
    this.#signals = new Signals(part(root, "signals"), words);
    this.#arrived = new Arrived(part(root, "arrived"), words);
    this.#environments = new Environments(part(root, "environments"), words);
    this.#runs = new Runs(part(root, "runs"), words);
  }

  /**
   * @param {State} state
   * @param {Problem[]} problems with their words
   * @param {Target | null} values
   */
  draw(state, problems, values) {
    const stage = stageOf(state);
    for (const { place, list } of this.#lists) {
      list.draw(
        problems.filter((problem) => placeOf(problem, stage) === place),
        values,
      );
    }
    this.#error.draw(state.snapshot);
    this.#readable.draw(state, values);
    this.#facts.draw(state.snapshot);
    this.features.draw(state);
    this.#signals.draw(state);
    this.#arrived.draw(state);
    this.#environments.draw(state);
    this.#runs.draw(state);
  }

  /** What changes by time alone. @param {State} state @param {number} now */
  tick(state, now) {
    this.#facts.tick(state, now);
  }

  /** Other code or other values are shown beside. @param {string[] | null} possible the features that there can be */
  redraw(possible) {
    this.features.limit(possible);
    this.features.redraw();
  }
}

/** What is seen below the stages: problems, features and signals. */

import { part } from "../elements/dom.js";
import { Features } from "../elements/features.js";
import { Problems } from "../elements/problems.js";
import { Signals } from "../elements/signals.js";

/** @import { Problem, State, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */
/** @import { Help } from "../elements/features.js" */

export class Details {
  /**
   * @param {HTMLElement} root
   * @param {Words} words
   * @param {URL} docs what the problems' links are relative to
   * @param {(name: string) => Promise<Help> | null} help what turns a feature on
   */
  constructor(root, words, docs, help) {
    this.problems = new Problems(part(root, "problems"), words, docs);
    this.features = new Features(part(root, "features"), words, help);
    this.signals = new Signals(part(root, "signals"), words);
  }

  /**
   * @param {State} state
   * @param {Problem[]} problems with their words
   * @param {Target | null} values
   */
  draw(state, problems, values) {
    this.problems.draw(problems, values);
    this.features.draw(state);
    this.signals.draw(state);
  }

  /** Other code or other values are shown beside. */
  redraw() {
    this.features.redraw();
  }
}

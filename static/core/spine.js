/** The steps as one line that the app walks along: which is open, which is done and by what proof, what breaks one. */

import { worded } from "./problems.js";
import { grouped, STAGES, stageOf } from "./state.js";
import { sdkText } from "./words.js";

/** @import { Problem, SpineStep, Stage, State, StepName } from "./types.js" */
/** @import { Words } from "./words.js" */
/** @typedef {StepName | "rest"} Place Where a problem is shown. */

const [AWAITING, CONNECTED, FAILED] = STAGES;

/** What an app does wrong once it is connected. All other errors keep it from being so. */
const AFTER_CONNECTING = ["dropped_by_sdk", "message_not_error", "sample_only", "config_contradiction"];

/** Seen from here, or nothing that the lines of a step would mend. */
const OF_NO_STEP = ["silence", "quiet", "rate_limited", "clock_skew"];

/**
 * In the step that it breaks. At the first error the steps lie behind the user, and what is still open stands on its own.
 *
 * @param {Problem} problem
 * @param {Stage} stage
 * @returns {Place}
 */
export function placeOf(problem, stage) {
  const { open } = grouped([problem]);
  if (!open.length || stage === FAILED || OF_NO_STEP.includes(problem.code)) return "rest";
  return AFTER_CONNECTING.includes(problem.code) ? "error" : "configure";
}

/**
 * @param {State} state
 * @param {Problem[]} problems
 * @param {Words} words
 * @param {number} now
 * @returns {SpineStep[]}
 */
export function spine(state, problems, words, now) {
  const stage = stageOf(state);
  const step = (/** @type {StepName} */ name, /** @type {SpineStep["state"]} */ plain, proof = "") => {
    const broken = problems.find((problem) => placeOf(problem, stage) === name);
    // What was proved does not stand beside what denies it.
    return /** @type {SpineStep} */ (
      broken ? { name, state: "broken", proof: said(broken, words) } : { name, state: plain, proof }
    );
  };
  const [connected, failed] = [CONNECTED, FAILED].map((reached) => words.when(reached, state, now));
  const behind = [step("install", "done", sdkText(state.snapshot?.sdk ?? {})), step("configure", "done", connected)];
  if (stage === AWAITING)
    return oneAtATime([step("install", "brief"), step("configure", "open"), step("error", "ahead")]);
  return oneAtATime([...behind, step("error", stage === FAILED ? "done" : "open", failed)]);
}

/** What is wrong, for the line of a step that is folded. @param {Problem} problem @param {Words} words */
const said = (problem, words) => worded(problem, words).summary.replace(/[.。]$/, "");

/** What is broken comes before what would be next. @param {SpineStep[]} steps @returns {SpineStep[]} */
function oneAtATime(steps) {
  const isBroken = steps.some(({ state }) => state === "broken");
  return steps.map((step) => (isBroken && step.state === "open" ? { ...step, state: "ahead" } : step));
}

/** The one to look at: the first that is broken, else the one that is open. @param {SpineStep[]} steps */
export function current(steps) {
  return steps.find(({ state }) => state === "broken") ?? steps.find(({ state }) => state === "open") ?? null;
}

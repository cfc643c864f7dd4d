/**
 * What a page says first. Headline, the line below it, the tab's title and the icon are one sentence, made here and
 * nowhere else, so that none of them can say what another denies. Pure: the time is an argument, in ms.
 */

import { joined, time } from "./format.js";
import { worded } from "./problems.js";
import { linkState, problemsOf, STAGES, stageOf } from "./state.js";
import { sdkText } from "./words.js";

/** @import { Headline, Mood, Problem, Snapshot, State } from "./types.js" */
/** @import { Words } from "./words.js" */

/** A page that was told to stop knows nothing any more; a first error is there, whatever else went wrong. */
const [AWAITING, CONNECTED, FAILED] = STAGES;

/**
 * @param {State} state
 * @param {Words} words
 * @param {number} now
 * @returns {Headline}
 */
export function headline(state, words, now) {
  const problem = blocking(state);
  const mood = moodOf(state, problem);
  const said = problem && mood === "problem" ? ofProblem(worded(problem, words), state, words, now) : null;
  const { headlines, tabs } = words.messages.status;
  const kind = isWeak(state) && mood === CONNECTED ? "weak" : mood;
  return {
    mood,
    text: said?.text ?? headlines[/** @type {keyof typeof headlines} */ (kind)],
    line: said?.line ?? lineOf(mood, state, words, now),
    tab: joined(said ? words.say(tabs.problem, { summary: said.text }) : tabs[mood], state.project?.name),
  };
}

/**
 * The open problem that keeps the app from the next stage: the most severe one, in the server's order. Those of the
 * severity `error` alone: a warning may be right about something that goes well.
 *
 * @param {State} state
 * @returns {Problem | null}
 */
export function blocking(state) {
  if (stageOf(state) === FAILED) return null;
  return problemsOf(state).find(({ severity, resolved }) => severity === "error" && !resolved) ?? null;
}

/** @param {State} state @param {Problem | null} problem @returns {Mood} */
function moodOf(state, problem) {
  if (state.link.state === "stopped") return "stopped";
  return problem ? "problem" : stageOf(state);
}

/** Whether all that we know is that somebody has the key. @param {State} state */
const isWeak = ({ snapshot }) => snapshot?.connected_by === "key";

/**
 * @param {Problem} problem with its words
 * @param {State} state
 * @param {Words} words
 * @param {number} now
 */
function ofProblem({ summary, count, last_at: last }, state, words, now) {
  const { seen } = words.messages.status;
  const clock = now + state.skew;
  const ago = words.ago(time(last) ?? clock, clock);
  // A headline has no full stop, in whatever script it is written.
  return { text: summary.replace(/[.。]$/, ""), line: words.say(seen, { count, ago }) };
}

/**
 * @param {Mood} mood
 * @param {State} state
 * @param {Words} words
 * @param {number} now
 */
function lineOf(mood, state, words, now) {
  const { unsure, checked, weak } = words.messages.status;
  if (mood === "stopped") return words.link(state, now).reason ?? "";
  if (mood === FAILED) return words.errorTitle(state);
  // What was last heard is still true, but whether it is all there is nobody knows.
  if (state.snapshot && linkState(state) !== "live") return unsure;
  if (mood === AWAITING) return state.snapshot?.checked_by ? checked : listening(state, words, now);
  return isWeak(state) ? weak : connectedLine(/** @type {Snapshot} */ (state.snapshot), state, words, now);
}

/** @param {State} state @param {Words} words @param {number} now */
function listening({ since }, words, now) {
  return words.say(words.messages.status.listening, { time: words.duration(now - since.at, true) });
}

/** @param {Snapshot} snapshot @param {State} state @param {Words} words @param {number} now */
function connectedLine({ sdk, app }, state, words, now) {
  const { now_an_error: next, first_signal: unnamed } = words.messages.status;
  const seen = joined(sdkText(sdk) || unnamed, app.environment, app.release, words.lastSeen(state, now));
  return words.say(next, { seen });
}

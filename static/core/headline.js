/**
 * What a page says first: what is so, what to do, and what is known of it. Headline, lines, the tab's title and the icon
 * are made here and nowhere else, so that none of them can say what another denies. Pure: the time is an argument, in ms.
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
  const { line, detail = "" } = said ?? linesOf(mood, state, words, now);
  return {
    mood,
    text: said?.text ?? headlines[/** @type {keyof typeof headlines} */ (kind)],
    line,
    detail,
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
function ofProblem({ code, summary, count, last_at: last }, state, words, now) {
  const { seen } = words.messages.status;
  const clock = now + state.skew;
  const ago = words.ago(time(last) ?? clock, clock);
  // A headline has no full stop, in whatever script it is written.
  const text = summary.replace(/[.。]$/, "");
  return { text, line: words.mend(code), detail: words.say(seen, { count, ago }) };
}

/**
 * What to do, and what is known.
 *
 * @param {Mood} mood
 * @param {State} state
 * @param {Words} words
 * @param {number} now
 * @returns {{ line: string, detail?: string }}
 */
function linesOf(mood, state, words, now) {
  const { unsure, delayed, weak, empty, now_an_error: next } = words.messages.status;
  if (mood === "stopped") return { line: words.link(state, now).reason ?? "" };
  if (mood === FAILED) return { line: words.errorTitle(state) };
  // What was last heard is still true, but whether it is all there is nobody knows.
  const link = linkState(state);
  if (state.snapshot && link !== "live") return { line: link === "delayed" ? delayed : unsure };
  if (mood === AWAITING) return listening(state, words, now);
  return isWeak(state) ? { line: weak, detail: empty } : { line: next, detail: connected(state, words, now) };
}

/** @param {State} state @param {Words} words @param {number} now */
function listening(state, words, now) {
  const { start, checked, causes, listening: since } = words.messages.status;
  const isSilent = problemsOf(state).some(({ code, resolved }) => code === "silence" && !resolved);
  const detail = words.say(isSilent ? causes : since, { time: words.duration(now - state.since.at, true) });
  return { line: state.snapshot?.checked_by ? checked : start, detail };
}

/** @param {State} state @param {Words} words @param {number} now */
function connected(state, words, now) {
  const { sdk, app } = /** @type {Snapshot} */ (state.snapshot);
  const name = sdkText(sdk) || words.messages.status.first_signal;
  return joined(name, app.environment, app.release, words.lastSeen(state, now));
}

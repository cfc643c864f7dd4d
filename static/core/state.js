/** What a page knows, and how a message changes it. Pure: times are arguments, in ms. */

import { time } from "./format.js";

/** @import { FirstError, Frame, LinkName, Liveness, Message, News, PageEvent } from "./types.js" */
/** @import { Problem, Signal, Snapshot, Stage, State } from "./types.js" */

/** @type {Stage[]} */
export const STAGES = ["awaiting", "connected", "first_error_received"];

/** A beat that is this many intervals late makes a quiet application. */
const QUIET_AFTER = 2.5;

/** @param {number} openedAt @returns {State} */
export function initialState(openedAt) {
  return {
    project: null,
    snapshot: null,
    link: { state: "connecting" },
    delayed: false,
    skew: 0,
    own: [],
    since: { at: openedAt, what: "opened" },
  };
}

/** @param {State} state @param {PageEvent} event @returns {State} */
export function reduce(state, event) {
  if ("message" in event) return receive(state, event);
  if ("link" in event) return { ...state, link: event.link, delayed: event.link.state === "live" && state.delayed };
  return { ...state, ...event };
}

/**
 * @param {State} state
 * @param {{ message: Message, fresh?: boolean, at: number }} event
 * @returns {State}
 */
function receive(state, { message, fresh, at }) {
  if (message.type === "delayed") return { ...state, delayed: true };
  if (message.type !== "snapshot") return state;
  const now = time(message.now);
  const next = { ...state, delayed: false, skew: now === null ? state.skew : now - at };
  const told = tidy(message);
  // The first snapshot after a (re)connect is the store's truth, even where
  // the store was rolled back to an older version.
  if (!fresh && !isNewer(state.snapshot, told)) return next;
  if (state.snapshot && state.snapshot.epoch !== told.epoch) next.since = { at, what: "reset" };
  // The server's, once it has one: a page that is loaded again waits no shorter, and says the same as its problems.
  const watched = time(told.watched_at);
  if (watched !== null) next.since = { ...next.since, at: watched - next.skew };
  next.snapshot = told;
  return next;
}

/**
 * The one with another epoch, or the larger version, wins.
 *
 * @param {Snapshot | null} current
 * @param {Snapshot} next
 */
export function isNewer(current, next) {
  return current === null || current.epoch !== next.epoch || next.version > current.version;
}

const EMPTY = {
  stage: STAGES[0],
  sdk: {},
  app: {},
  config: {},
  liveness: { state: "never" },
  signals: {},
  arrived: [],
  environments: [],
  features: [],
  problems: [],
};

/**
 * Fills in what may be null or absent, so that nothing after this has to ask.
 *
 * @param {Message} message
 */
function tidy(message) {
  const told = Object.entries(message).filter(([, value]) => value !== null);
  return /** @type {Snapshot} */ ({ .../** @type {object} */ (EMPTY), ...Object.fromEntries(told) });
}

/** @param {{ snapshot: Snapshot | null }} state @returns {Stage} */
export const stageOf = (state) => state.snapshot?.stage ?? STAGES[0];

/**
 * Nobody sends a silence: it is derived from the clock.
 *
 * @param {State} state
 * @param {number} now
 * @returns {Liveness}
 */
export function liveness(state, now) {
  const told = state.snapshot?.liveness ?? { state: "never" };
  const last = time(told.last_seen_at);
  if (last === null || !told.interval) return told.state;
  return now + state.skew - last > QUIET_AFTER * told.interval * 1_000 ? "quiet" : "live";
}

/** @param {Pick<State, "link" | "delayed">} state @returns {LinkName} */
export function linkState({ link, delayed }) {
  if (link.state === "live") return delayed ? "delayed" : "live";
  if (link.state === "stopped") return "stopped";
  return link.offline ? "offline" : "reconnecting";
}

/**
 * Open ones first. Among them the order is the server's: the most probable first.
 *
 * @param {Pick<Snapshot, "problems"> | null} snapshot
 */
export function sortedProblems(snapshot) {
  return [...(snapshot?.problems ?? [])].sort((a, b) => Number(a.resolved) - Number(b.resolved));
}

/**
 * The server's problems, with what this browser sees itself before all that may be a consequence of it.
 *
 * @param {Pick<State, "snapshot" | "own">} state
 */
export function problemsOf({ snapshot, own }) {
  const told = sortedProblems(snapshot);
  const place = told.findIndex(({ severity, resolved }) => resolved || severity !== "error");
  const [open, done] = [own.filter(({ resolved }) => !resolved), own.filter(({ resolved }) => resolved)];
  return [...told.toSpliced(place < 0 ? told.length : place, 0, ...open), ...done];
}

/** What anybody can send, and nothing ties to the project's own app. @param {Pick<Problem, "code">} problem */
export const isByAnybody = ({ code }) => code === "keyless_requests";

/** What is to be fixed, what strangers sent, what is good to know, and what is over. @param {Problem[]} problems */
export function grouped(problems) {
  const own = problems.filter((problem) => !isByAnybody(problem));
  const isNote = (/** @type {Problem} */ { severity }) => severity === "note";
  return {
    open: own.filter((problem) => !problem.resolved && !isNote(problem)),
    strangers: problems.filter(isByAnybody),
    notes: own.filter(isNote),
    resolved: own.filter((problem) => problem.resolved && !isNote(problem)),
  };
}

const PROGRESS = ["received", "configured", "off"];

/**
 * What is there first; the server's order within.
 *
 * @param {Pick<Snapshot, "features"> | null} snapshot
 */
export function sortedFeatures(snapshot) {
  return [...(snapshot?.features ?? [])].sort((a, b) => PROGRESS.indexOf(a.state) - PROGRESS.indexOf(b.state));
}

/** @param {Signal} signal */
const lastAt = (signal) => time(signal.last_at) ?? 0;

/** `[name, signal]`, the latest first. @param {Pick<Snapshot, "signals"> | null} snapshot */
export function sortedSignals(snapshot) {
  return Object.entries(snapshot?.signals ?? {}).sort(([, a], [, b]) => lastAt(b) - lastAt(a));
}

/**
 * The frames of the user's own code first, each group in the order given.
 *
 * @param {FirstError} error
 * @returns {Frame[]}
 */
export function sortedFrames({ frames }) {
  return [...(frames ?? [])].sort((a, b) => Number(Boolean(b.in_app)) - Number(Boolean(a.in_app)));
}

/**
 * When a stage was reached, or null.
 *
 * @param {Stage} stage
 * @param {Pick<State, "snapshot" | "project">} state
 */
export function reachedAt(stage, { snapshot, project }) {
  if (stage === "awaiting") return time(project?.created_at);
  return time(stage === "connected" ? snapshot?.connected_at : snapshot?.first_error?.received_at);
}

/**
 * What a row of the timeline is.
 *
 * @param {Stage} stage
 * @param {State} state
 * @returns {"done" | "current" | "ahead"}
 */
export function rowState(stage, state) {
  const [row, reached] = [STAGES.indexOf(stage), STAGES.indexOf(stageOf(state))];
  // Awaiting is over as soon as something arrived; the others stay reached.
  if (reached && row <= reached) return "done";
  return row === (reached && 2) ? "current" : "ahead";
}

/**
 * What changed that is worth a word to those who only listen. Notes are not.
 *
 * @param {State} before
 * @param {State} after
 * @returns {News}
 */
export function news(before, after) {
  const known = new Map(problemsOf(before).map((problem) => [problem.code, problem.resolved]));
  const problems = problemsOf(after).filter(({ severity }) => severity !== "note");
  return {
    stage: stageOf(before) !== stageOf(after) ? stageOf(after) : null,
    raised: problems.filter(({ code, resolved }) => !resolved && known.get(code) !== false),
    // The end of a silence is a stage, which is said already.
    resolved: problems.filter(({ code, resolved }) => resolved && known.get(code) === false && code !== "silence"),
  };
}

/** What the page knows, and how a message changes it. Pure: times are arguments, in ms. */

export const STAGES = ["awaiting", "connected", "first_error_received"];

/** A beat that is this many intervals late makes a quiet application. */
const QUIET_AFTER = 2.5;

export function initialState(openedAt) {
  return {
    project: null,
    snapshot: null,
    link: { state: "connecting" },
    delayed: false,
    /** Server clock minus ours: relative times survive a wrong clock here. */
    skew: 0,
    /** Problems that only this browser can see, such as an ad blocker. */
    own: [],
    /** What durations are counted from. */
    since: { at: openedAt, what: "you opened this page" },
  };
}

/** @param {object} event `{message, fresh, at}`, `{link}`, `{project}` or `{own}` */
export function reduce(state, event) {
  if (event.message) return receive(state, event);
  if (event.link) return { ...state, link: event.link, delayed: event.link.state === "live" && state.delayed };
  return { ...state, ...event };
}

function receive(state, { message, fresh, at }) {
  if (message.type === "delayed") return { ...state, delayed: true };
  if (message.type !== "snapshot") return state;
  const now = time(message.now);
  const next = { ...state, delayed: false, skew: now === null ? state.skew : now - at };
  // The first snapshot after a (re)connect is the store's truth, even where
  // the store was rolled back to an older version.
  if (!fresh && !isNewer(state.snapshot, message)) return next;
  if (state.snapshot && state.snapshot.epoch !== message.epoch) next.since = { at, what: "the new start" };
  next.snapshot = tidy(message);
  return next;
}

/** The one with another epoch, or the larger version, wins. */
export function isNewer(current, next) {
  return current === null || current.epoch !== next.epoch || next.version > current.version;
}

const EMPTY = { stage: STAGES[0], sdk: {}, app: {}, config: {}, liveness: { state: "never" }, signals: {}, features: [], problems: [] };

/** Fills in what may be null or absent, so that nothing after this has to ask. */
function tidy(message) {
  const told = Object.entries(message).filter(([, value]) => value !== null);
  return { ...EMPTY, ...Object.fromEntries(told) };
}

export const stageOf = (state) => state.snapshot?.stage ?? STAGES[0];

/** Milliseconds of an ISO time, or null. */
export function time(iso) {
  const value = Date.parse(iso ?? "");
  return Number.isNaN(value) ? null : value;
}

/** `never`, `live`, `quiet` or `seen`. Nobody sends a silence: it is derived from the clock. */
export function liveness(state, now) {
  const told = state.snapshot?.liveness ?? { state: "never" };
  const last = time(told.last_seen_at);
  if (last === null || !told.interval) return told.state;
  return now + state.skew - last > QUIET_AFTER * told.interval * 1_000 ? "quiet" : "live";
}

/** `live`, `reconnecting`, `delayed`, `offline` or `stopped`. */
export function linkState({ link, delayed }) {
  if (link.state === "live") return delayed ? "delayed" : "live";
  if (link.state === "stopped") return "stopped";
  return link.offline ? "offline" : "reconnecting";
}

/** Open ones first. Among them the order is the server's: the most probable first. */
export function sortedProblems(snapshot) {
  return [...(snapshot?.problems ?? [])].sort((a, b) => Boolean(a.resolved) - Boolean(b.resolved));
}

/** The server's problems, with what this browser sees itself before all that may be a consequence of it. */
export function problemsOf({ snapshot, own }) {
  const told = sortedProblems(snapshot);
  const place = told.findIndex(({ severity, resolved }) => resolved || severity !== "error");
  const [open, done] = [own.filter(({ resolved }) => !resolved), own.filter(({ resolved }) => resolved)];
  return [...told.toSpliced(place < 0 ? told.length : place, 0, ...open), ...done];
}

/** What is to be mended, what is worth to know, and what is over. */
export function grouped(problems) {
  const isNote = ({ severity }) => severity === "note";
  return {
    open: problems.filter((problem) => !problem.resolved && !isNote(problem)),
    notes: problems.filter(isNote),
    resolved: problems.filter((problem) => problem.resolved && !isNote(problem)),
  };
}

const PROGRESS = ["received", "configured", "off"];

/** What is there first; the server's order within. */
export function sortedFeatures(snapshot) {
  return [...(snapshot?.features ?? [])].sort((a, b) => PROGRESS.indexOf(a.state) - PROGRESS.indexOf(b.state));
}

const latest = (a, b) => (time(b.last_at) ?? 0) - (time(a.last_at) ?? 0);

/** `[name, signal]`, the latest first. */
export function sortedSignals(snapshot) {
  return Object.entries(snapshot?.signals ?? {}).sort(([, a], [, b]) => latest(a, b));
}

/** The frames of the user's own code first, each group in the order given. */
export function sortedFrames({ frames }) {
  return [...(frames ?? [])].sort((a, b) => Boolean(b.in_app) - Boolean(a.in_app));
}

/** What changed that is worth a word to those who only listen. Notes are not. */
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

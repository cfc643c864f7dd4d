/** All that the page says, made from the state. Pure: time is an argument, in ms. */

import { STAGES, linkState, liveness, stageOf, time } from "./state.js";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const HEADLINES = {
  awaiting: "Awaiting your SDK",
  connected: "SDK connected",
  first_error_received: "First error received",
};

const TITLES = { awaiting: "○ Awaiting", connected: "● Connected", first_error_received: "★ First error" };

const STOPPED = {
  unauthorized: "This page needs a valid link. Open it again from where you got it.",
  forbidden: "This link belongs to another project.",
  missing: "There is no such project here.",
  refused: "The server refused this page. Reload it to try again.",
};

/** `12 s ago`. A time ahead of us is a clock that differs, not the future. */
export function ago(then, now) {
  const age = now - then;
  if (age < 1_500) return "just now";
  if (age >= DAY && age < 2 * DAY) return "yesterday";
  return `${duration(age, true)} ago`;
}

/** `3.2 s`, `48 s`, `2 min 5 s`, `3 h 10 min`, `2 days`; `coarse` keeps the first part, whole. */
export function duration(span, coarse = false) {
  if (span < MINUTE) return `${coarse || span >= 10_000 ? Math.floor(span / 1_000) : (Math.max(0, span) / 1_000).toFixed(1)} s`;
  if (span >= DAY) return span < 2 * DAY ? "1 day" : `${Math.floor(span / DAY)} days`;
  const [large, small, names] = span < HOUR ? [MINUTE, 1_000, ["min", "s"]] : [HOUR, MINUTE, ["h", "min"]];
  const rest = Math.floor((span % large) / small);
  const head = `${Math.floor(span / large)} ${names[0]}`;
  return rest && !coarse ? `${head} ${rest} ${names[1]}` : head;
}

export const exact = (then) => new Date(then).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });

const join = (...parts) => parts.filter(Boolean).join(" · ");

/** Since when a stage is reached, and what it took. */
export function when(stage, state, now) {
  const clock = now + state.skew;
  if (stage === "awaiting") return waiting(state, clock);
  const reached = reachedAt(stage, state);
  return reached === null ? "" : join(ago(reached, clock), took(stage, reached, state));
}

export function reachedAt(stage, { snapshot, project }) {
  if (stage === "awaiting") return time(project?.created_at);
  return time(stage === "connected" ? snapshot?.connected_at : snapshot?.first_error?.received_at);
}

function waiting(state, clock) {
  const { at, what } = state.since;
  if (stageOf(state) === "awaiting") return `for ${duration(clock - at - state.skew, true)}, since ${what}`;
  const made = reachedAt("awaiting", state);
  return made === null ? "" : `project made ${ago(made, clock)}`;
}

function took(stage, reached, state) {
  const connected = reachedAt("connected", state);
  if (stage === "connected" || connected === null) return fromStart(reached, state);
  const span = reached - connected;
  return span ? `${span < 50 ? "right" : duration(span)} after the SDK connected` : "with the very first signal";
}

function fromStart(reached, state) {
  const span = reached - state.since.at - state.skew;
  if (span >= 0) return `${duration(span)} after ${state.since.what}`;
  const made = reachedAt("awaiting", state);
  return made !== null && reached >= made ? `${duration(reached - made)} after the project was made` : "";
}

export const sdkText = ({ name, version }) => [name, version].filter(Boolean).join(" ");

/** The line below the headline. */
export function line(state, now, where) {
  const stage = stageOf(state);
  if (stage === "awaiting") return `Start your app with the lines ${where}. This page changes by itself.`;
  if (stage === "first_error_received") return errorTitle(state);
  const { sdk, app } = state.snapshot;
  return `${join(sdkText(sdk) || "First signal", app.environment, app.release, lastSeen(state, now))}. Now send a first error.`;
}

export const errorTitle = ({ snapshot }) => snapshot?.first_error?.title || "An error without a title";

/** `12 s ago`, or `quiet for 2 min` where a promised beat is overdue. */
export function lastSeen(state, now) {
  const last = time(state.snapshot?.liveness.last_seen_at);
  if (last === null) return "";
  const clock = now + state.skew;
  return liveness(state, now) === "quiet" ? `quiet for ${duration(clock - last)}` : ago(last, clock);
}

export const tabTitle = (state) => join(state.link.reason ? "Not connected" : TITLES[stageOf(state)], state.project?.name);

/** The words of the link indicator; `retry`: whether trying now makes sense. */
export function linkWords(state, now) {
  const { link } = state;
  const retry = link.state === "waiting";
  const left = Math.ceil((link.retryAt - now) / 1_000);
  const trying = link.again ? "Reconnecting" : "Connecting";
  const text = {
    live: "Live",
    delayed: "Updates are delayed",
    stopped: "Not connected",
    offline: "Offline",
    reconnecting: retry && left > 0 ? `Reconnecting in ${left} s` : trying,
  }[linkState(state)];
  return { text, retry, reason: STOPPED[link.reason] };
}

/** What a row of the timeline is: `done`, `current` or `ahead`. */
export function rowState(stage, state) {
  const [row, reached] = [STAGES.indexOf(stage), STAGES.indexOf(stageOf(state))];
  // Awaiting is over as soon as something arrived; the others stay reached.
  if (reached && row <= reached) return "done";
  return row === (reached && 2) ? "current" : "ahead";
}

/** `check_in` as `Check in`. */
export function plainName(name) {
  const words = name.replaceAll("_", " ").replace(/\bcsp\b/, "CSP");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** `{traces_sample_rate: 0.2, enable_logs: true}` as `Traces 20 % · Logs on`. */
export function configText(config) {
  const known = Object.entries(config).filter(([, value]) => value !== null);
  const name = (key) => (key === "sample_rate" ? "Errors" : plainName(key.replace(/^enable_|_sample_rate$/g, "")));
  return join(...known.map(([key, value]) => `${name(key)} ${setting(key, value)}`));
}

function setting(key, value) {
  if (typeof value === "boolean") return value ? "on" : "off";
  return key.endsWith("sample_rate") && value >= 0 ? `${Math.round(value * 1_000) / 10} %` : plain(value);
}

export const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** What the bar of a narrow screen says of the problems below it. */
export function openWords(open) {
  const count = open.filter(({ code }) => code !== "silence").length;
  if (count) return `${count} ${count === 1 ? "problem" : "problems"}`;
  return open.length ? "Nothing yet?" : "";
}

export const notesWords = (notes) => (notes.length === 1 ? "1 note" : `${notes.length} notes`);

/** A silence that is over is told as such. */
export const summaryOf = ({ code, summary, resolved, evidence }) =>
  code === "silence" && resolved ? `Nothing came for ${evidence?.waited ?? "a while"}, then it did.` : summary;

const EVIDENCE = { key: "Key sent", expected: "This project's" };

/** What is evident as `[name, text]`; sentences come last. */
export const evidenceOf = ({ evidence }) =>
  Object.entries(evidence ?? {})
    .map(([name, value]) => [EVIDENCE[name] ?? plainName(name), plain(value)])
    .sort(([, a], [, b]) => (a.length > 60) - (b.length > 60));

/** How far a feature is, where no time says it. */
export const featureWords = ({ state, inferred }) =>
  ({ received: "", configured: inferred ? "configured, inferred" : "configured", off: "off" })[state];

/** What the live region speaks: stages and problems, never heartbeats. */
export function announcement({ stage, raised, resolved }, state) {
  return [
    stage ? `${HEADLINES[stage]}.` : "",
    stage === "first_error_received" ? `${errorTitle(state)}.` : "",
    ...raised.map(({ summary }) => `Problem: ${summary}`),
    ...resolved.map(({ summary }) => `Resolved: ${summary}`),
  ].filter(Boolean).join(" ");
}

/**
 * The two buttons: signals sent from this very browser, by the same way that
 * an SDK takes. `text/plain` needs no preflight, as SDKs in browsers do it.
 */

import { refusedBecause } from "../core/evidence.js";

/** @import { Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */
/** @typedef {{ ok: boolean, text: string }} Sent What to say about it. */

const CLIENT = { name: "firstlight.page", version: "0.1.0" };
const ENVIRONMENT = "onboarding-page";

/** @param {Target} target @param {Words} words */
export function heartbeat(target, words) {
  const beat = { type: "heartbeat", sdk: CLIENT, environment: ENVIRONMENT };
  return post(`${target.ingest}/heartbeat/?sentry_key=${target.key}`, JSON.stringify(beat), words);
}

/** @param {Target} target @param {Words} words */
export async function error(target, words) {
  const event = await eventOf(caught(words.messages.trial.error_title));
  const header = { event_id: event.event_id, sent_at: event.timestamp, sdk: CLIENT };
  const body = [header, { type: "event" }, event].map((part) => JSON.stringify(part)).join("\n");
  const query = `sentry_key=${target.key}&sentry_version=7&sentry_client=${CLIENT.name}/${CLIENT.version}`;
  return post(`${target.ingest}/envelope/?${query}`, body, words);
}

/** A real error with a real stack, thrown and caught. @param {string} title */
function caught(title) {
  try {
    return throwTestError(title);
  } catch (thrown) {
    return /** @type {Error} */ (thrown);
  }
}

/** @param {string} title @returns {never} */
function throwTestError(title) {
  throw new Error(title);
}

/** @param {Error} error */
async function eventOf({ name, message, stack = "" }) {
  return {
    event_id: randomId(),
    timestamp: new Date().toISOString(),
    platform: "javascript",
    level: "error",
    environment: ENVIRONMENT,
    sdk: CLIENT,
    transaction: "onboarding page",
    exception: {
      values: [
        {
          type: name,
          value: message,
          mechanism: { type: "generic", handled: true },
          stacktrace: { frames: await framesOf(stack) },
        },
      ],
    },
  };
}

function randomId() {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Chromium writes `at fn (url:1:2)`, Firefox and Safari `fn@url:1:2`. */
const FRAME = /^\s*(?:at (?:async )?)?(?:(.*?)(?: \(|@))?((?:https?|file):\/\/.+?):(\d+):(\d+)\)?$/;

/**
 * @typedef {object} SentFrame As the protocol has it.
 * @property {string} function
 * @property {string} filename
 * @property {number} lineno
 * @property {number} colno
 * @property {true} in_app
 * @property {string} [context_line]
 */

/** @param {string} stack */
async function framesOf(stack) {
  const matches = stack.split("\n").map((row) => FRAME.exec(row));
  const frames = await Promise.all(
    matches
      .filter((match) => match !== null)
      .slice(0, 20)
      .map(frameOf),
  );
  return frames.reverse(); // The protocol wants the innermost frame last.
}

/** @param {string[]} match @returns {Promise<SentFrame>} */
async function frameOf([, name, url, row, column]) {
  /** @type {SentFrame} */
  const frame = { function: name || "?", filename: url, lineno: Number(row), colno: Number(column), in_app: true };
  const source = await sourceOf(url);
  if (source) frame.context_line = source.split("\n")[frame.lineno - 1];
  return frame;
}

/**
 * This page's own modules can be read again, from the cache, for the line of code.
 *
 * @param {string} url
 */
async function sourceOf(url) {
  if (!url.startsWith(location.origin)) return null;
  try {
    const answer = await fetch(url);
    return answer.ok ? await answer.text() : null;
  } catch {
    return null;
  }
}

/**
 * `text/plain` needs no preflight.
 *
 * @param {string} url
 * @param {string} body
 * @param {Words} words
 * @returns {Promise<Sent>}
 */
async function post(url, body, words) {
  const { accepted, timed_out: late, no_answer: none } = words.messages.trial;
  const start = performance.now();
  const headers = { "Content-Type": "text/plain;charset=UTF-8" };
  try {
    const signal = AbortSignal.timeout(10_000);
    const answer = await fetch(url, { method: "POST", body, headers, credentials: "omit", signal });
    if (!answer.ok) return { ok: false, text: await refusal(answer, words) };
  } catch (failure) {
    const isLate = failure instanceof DOMException && failure.name === "TimeoutError";
    return { ok: false, text: isLate ? late : none };
  }
  return { ok: true, text: words.say(accepted, { time: Math.round(performance.now() - start) }) };
}

/** @param {Response} answer @param {Words} words */
async function refusal(answer, words) {
  const { refused, refused_since: since } = words.messages.trial;
  const told = await answer.json().catch(() => null);
  const detail = refusedBecause(told, words);
  return words.say(detail ? since : refused, { status: answer.status, ...(detail ? { detail } : {}) });
}

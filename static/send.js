/**
 * The two buttons: signals sent from this very browser, by the same way that
 * an SDK takes. `text/plain` needs no preflight, as SDKs in browsers do it.
 */

const CLIENT = { name: "firstlight.page", version: "0.1.0" };
const ENVIRONMENT = "onboarding-page";

export function sendHeartbeat(target) {
  const beat = { type: "heartbeat", sdk: CLIENT, environment: ENVIRONMENT };
  return post(`${target.ingest}/heartbeat/?sentry_key=${target.key}`, JSON.stringify(beat));
}

export async function sendError(target) {
  const error = caught();
  const event = await eventOf(error);
  const header = { event_id: event.event_id, sent_at: event.timestamp, sdk: CLIENT };
  const body = [header, { type: "event" }, event].map((part) => JSON.stringify(part)).join("\n");
  const query = `sentry_key=${target.key}&sentry_version=7&sentry_client=${CLIENT.name}/${CLIENT.version}`;
  return post(`${target.ingest}/envelope/?${query}`, body);
}

/** A real error with a real stack, thrown and caught. */
function caught() {
  try {
    return throwTestError();
  } catch (error) {
    return error;
  }
}

function throwTestError() {
  throw new Error("Test error from the onboarding page");
}

async function eventOf(error) {
  return {
    event_id: crypto.getRandomValues(new Uint8Array(16)).reduce((id, byte) => id + byte.toString(16).padStart(2, "0"), ""),
    timestamp: new Date().toISOString(),
    platform: "javascript",
    level: "error",
    environment: ENVIRONMENT,
    sdk: CLIENT,
    transaction: "onboarding page",
    exception: {
      values: [
        {
          type: error.name,
          value: error.message,
          mechanism: { type: "generic", handled: true },
          stacktrace: { frames: await framesOf(error.stack ?? "") },
        },
      ],
    },
  };
}

/** Chromium writes `at fn (url:1:2)`, Firefox and Safari `fn@url:1:2`. */
const FRAME = /^\s*(?:at (?:async )?)?(?:(.*?)(?: \(|@))?((?:https?|file):\/\/.+?):(\d+):(\d+)\)?$/;

async function framesOf(stack) {
  const matches = stack.split("\n").map((row) => FRAME.exec(row)).filter(Boolean);
  const frames = await Promise.all(matches.slice(0, 20).map(frameOf));
  return frames.reverse(); // The protocol wants the innermost frame last.
}

async function frameOf([, name, url, row, column]) {
  const frame = { function: name || "?", filename: url, lineno: Number(row), colno: Number(column), in_app: true };
  const source = await sourceOf(url);
  if (source) frame.context_line = source.split("\n")[row - 1];
  return frame;
}

/** This page's own modules can be read again, from the cache, for the line of code. */
async function sourceOf(url) {
  if (!url.startsWith(location.origin)) return null;
  try {
    const answer = await fetch(url);
    return answer.ok ? await answer.text() : null;
  } catch {
    return null;
  }
}

/** @returns {{ok: boolean, text: string}} what to say about it */
async function post(url, body) {
  const start = performance.now();
  let answer;
  try {
    const options = { method: "POST", body, headers: { "Content-Type": "text/plain;charset=UTF-8" } };
    answer = await fetch(url, { ...options, credentials: "omit", signal: AbortSignal.timeout(10_000) });
  } catch (error) {
    return { ok: false, text: failure(error) };
  }
  if (answer.ok) return { ok: true, text: `Accepted in ${Math.round(performance.now() - start)} ms.` };
  return { ok: false, text: await refusal(answer) };
}

function failure(error) {
  if (error.name === "TimeoutError") return "No answer within 10 s. The server may be out of reach.";
  return "The request got no answer. An ad blocker, the network or the server stopped it.";
}

async function refusal(answer) {
  const told = await answer.json().catch(() => null);
  return `Refused with ${answer.status}${told?.detail ? `: ${told.detail}` : ""}`;
}

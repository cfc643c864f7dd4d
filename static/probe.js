/**
 * Asks the ingest address from this very browser, by the ways that an SDK takes. Nothing of it is a signal.
 * What comes back are facts; what they mean stands in `verdict.js`.
 */

const PATIENCE = 8_000;

/**
 * One request. Never throws.
 *
 * @returns {object} `{status, ms, sentAt, json, headers}`, or `{failed: true, timedOut, ms}` without an answer
 */
export async function ask(url, options = {}) {
  const [start, sentAt] = [performance.now(), Date.now()];
  const passed = () => performance.now() - start;
  try {
    const defaults = { credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) };
    const answer = await fetch(url, { ...defaults, ...options });
    const ms = passed();
    const json = await answer.json().catch(() => null);
    return { status: answer.status, opaque: answer.type === "opaque", ms, sentAt, json, headers: answer.headers };
  } catch (error) {
    return { failed: true, timedOut: error.name === "TimeoutError", ms: passed() };
  }
}

const keyed = ({ ingest, key }, endpoint) => `${ingest}/${endpoint}/?sentry_key=${key}`;

/** How the server answers a holder of the key; changes nothing. */
export const health = (target) => ask(keyed(target, "heartbeat"));

/** The address that SDKs send to, and that blockers know best; OPTIONS sends nothing. */
export const endpoint = (target) => ask(keyed(target, "envelope"), { method: "OPTIONS" });

/** A body of so many bytes. `text/plain` needs no preflight. */
export function post(target, size) {
  const headers = { "Content-Type": "text/plain;charset=UTF-8" };
  return ask(keyed(target, "check"), { method: "POST", headers, body: "x".repeat(size) });
}

/** With a header of which a browser asks first, where the address is of another origin. */
export function preflight({ ingest, key }) {
  const headers = { "Content-Type": "text/plain", "X-Sentry-Auth": `Sentry sentry_version=7, sentry_key=${key}` };
  return ask(`${ingest}/check/`, { method: "POST", headers, body: "x" });
}

/**
 * What may keep a request from being answered.
 *
 * @param {object} target
 * @param {URL} root of the server that this page came from
 * @param {function(): Promise} attempt the request that failed; tried once more, to be watched
 */
export async function circumstances(target, root, attempt) {
  const origin = new URL(target.ingest).origin;
  const violations = [];
  const note = ({ blockedURI }) => violations.push(blockedURI);
  document.addEventListener("securitypolicyviolation", note);
  const again = await attempt();
  const own = await ask(new URL("healthz", root));
  const away = origin !== location.origin;
  const [host, opaque] = away && again.failed ? await Promise.all([quietly(`${origin}/healthz`), quietly(keyed(target, "heartbeat"))]) : [own, own];
  document.removeEventListener("securitypolicyviolation", note);
  return {
    passed: !again.failed,
    offline: navigator.onLine === false,
    csp: violations.some((uri) => uri.startsWith(origin)),
    mixed: location.protocol === "https:" && origin.startsWith("http:"),
    away,
    ownAnswers: !own.failed,
    hostAnswers: !host.failed,
    opaqueAnswers: !opaque.failed,
  };
}

/** Whether anything answers, without permission to read it. */
const quietly = (url) => ask(url, { mode: "no-cors" });

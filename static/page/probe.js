/**
 * Asks the ingest address from this very browser, by the ways that an SDK takes. Nothing of it is a signal.
 * What comes back are facts; what they mean stands in `core/verdict.js`.
 */

/** @import { Circumstances, Facts, Target } from "../core/types.js" */

const PATIENCE = 8_000;

/**
 * One request. Never throws.
 *
 * @param {string | URL} url
 * @param {RequestInit} [options]
 * @returns {Promise<Facts>}
 */
export async function ask(url, options = {}) {
  const [start, sentAt] = [performance.now(), Date.now()];
  const passed = () => performance.now() - start;
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    const answer = await fetch(url, { credentials: "omit", cache: "no-store", signal, ...options });
    const ms = passed();
    const json = await answer.json().catch(() => null);
    return { status: answer.status, opaque: answer.type === "opaque", ms, sentAt, json, headers: answer.headers };
  } catch (error) {
    return { failed: true, timedOut: error instanceof DOMException && error.name === "TimeoutError", ms: passed() };
  }
}

/** @param {Target} target @param {string} endpoint */
const keyed = ({ ingest, key }, endpoint) => `${ingest}/${endpoint}/?sentry_key=${key}`;

/** How the server answers a holder of the key; changes nothing. @param {Target} target */
export const health = (target) => ask(keyed(target, "heartbeat"));

/**
 * The address that SDKs send to, and that blockers know best; OPTIONS sends nothing.
 *
 * @param {Target} target
 */
export const endpoint = (target) => ask(keyed(target, "envelope"), { method: "OPTIONS" });

/**
 * A body of so many bytes. `text/plain` needs no preflight.
 *
 * @param {Target} target
 * @param {number} size
 */
export function post(target, size) {
  const headers = { "Content-Type": "text/plain;charset=UTF-8" };
  return ask(keyed(target, "check"), { method: "POST", headers, body: "x".repeat(size) });
}

/**
 * With a header of which a browser asks first, where the address is of another origin.
 *
 * @param {Target} target
 */
export function preflight({ ingest, key }) {
  const headers = { "Content-Type": "text/plain", "X-Sentry-Auth": `Sentry sentry_version=7, sentry_key=${key}` };
  return ask(`${ingest}/check/`, { method: "POST", headers, body: "x" });
}

/**
 * What may keep a request from being answered.
 *
 * @param {Target} target
 * @param {URL} root of the server that this page came from
 * @param {() => Promise<Facts>} attempt the request that failed; tried once more, to be watched
 * @returns {Promise<Circumstances>}
 */
export async function circumstances(target, root, attempt) {
  const { origin, host: named } = new URL(target.ingest);
  /** @type {string[]} */
  const violations = [];
  const note = (/** @type {SecurityPolicyViolationEvent} */ { blockedURI }) => violations.push(blockedURI);
  document.addEventListener("securitypolicyviolation", note);
  const again = await attempt();
  const own = await ask(new URL("healthz", root));
  const [away, isOverTls] = [origin !== location.origin, location.protocol === "https:"];
  const looks = away && again.failed ? [`${origin}/healthz`, keyed(target, "heartbeat")] : [];
  const [host = own, opaque = own] = await Promise.all(looks.map(quietly));
  document.removeEventListener("securitypolicyviolation", note);
  return {
    passed: !again.failed,
    offline: navigator.onLine === false,
    // The same server twice: it does not know that a proxy in front of it speaks TLS.
    behindTls: isOverTls && origin.startsWith("http:") && named === location.host,
    csp: violations.some((uri) => uri.startsWith(origin)),
    mixed: isOverTls && origin.startsWith("http:"),
    away,
    ownAnswers: !own.failed,
    hostAnswers: !host.failed,
    opaqueAnswers: !opaque.failed,
  };
}

/** Whether anything answers, without permission to read it. @param {string} url */
const quietly = (url) => ask(url, { mode: "no-cors" });

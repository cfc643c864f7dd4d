/** What the facts of a check mean, in words. Pure. */

import { duration } from "./words.js";

const ALLOWED_SKEW = 60_000;
const NGINX = "A proxy in between takes less: with nginx, set client_max_body_size 20m.";

/** Why a browser gets no answer, as a name and a sentence. */
export const CAUSES = {
  offline: ["this browser, which is offline", "This browser is offline."],
  down: ["the server, which does not answer", "The server does not answer this page either. Is it still running?"],
  csp: ["a Content-Security-Policy", "The Content-Security-Policy of this page leaves the address out: add it to connect-src."],
  mixed: ["the browser: http from https", "This page came by https and the address is http, which browsers block. Serve the address by https, too."],
  cors: ["missing CORS headers", "The answer came, without CORS headers: a proxy removes Access-Control-Allow-Origin. Let it pass."],
  unreachable: ["the network", "Nothing at that host answers this browser. Look at its name, a firewall, or a certificate that is not trusted."],
  blocker: ["something in this browser, such as an ad blocker", "The server answers other requests of this page, so an ad blocker or a privacy extension stops this one. Allow this site there, or use the SDK's tunnel option."],
};

/** The most certain cause; null where the second attempt got through. */
export function causeOf({ passed, offline, csp, mixed, away, ownAnswers, hostAnswers, opaqueAnswers }) {
  if (passed) return null;
  if (offline) return "offline";
  if (csp) return "csp";
  if (mixed) return "mixed";
  if (!ownAnswers) return "down";
  if (away && !hostAnswers) return "unreachable";
  return away && opaqueAnswers ? "cors" : "blocker";
}

/** Those that a user has to mend in the browser or between it and the server. */
export const isBlocked = (cause) => cause !== null && cause !== "offline" && cause !== "down";

/** `browser_blocked` as the server would tell it, with what was found. */
export function blockedProblem(words, cause, address, at) {
  const [stoppedBy, sentence] = CAUSES[cause];
  const time = new Date(at).toISOString();
  const { host, pathname } = new URL(address);
  const evidence = { "stopped by": stoppedBy, address: host + pathname };
  const checks = cause === "blocker" ? [] : [sentence]; // the words say it already
  return { ...words, checks, evidence, count: 1, first_at: time, last_at: time, resolved: false };
}

const ms = (span) => (span < 1_000 ? `${Math.round(span)} ms` : duration(span));
const good = (text, span) => ({ ok: true, text, time: span === undefined ? "" : ms(span) });
const bad = (text, fix) => ({ ok: false, text, fix, time: "" });
/** Not tried, since something before it failed. */
export const skipped = { ok: null, text: "not tried", time: "" };

const noAnswer = ({ timedOut }, cause) => bad(timedOut ? "no answer within 8 s" : "no answer", (CAUSES[cause] ?? ["", "Try again in a moment."])[1]);
const limited = bad("too many requests for now", "Wait a minute and check again.");

/** The rows of the check, in their order. */
export const NAMES = {
  link: "Live link",
  path: "Path",
  key: "Key",
  endpoint: "Envelopes",
  small: "Small body",
  large: "Body of 1 MiB",
  cors: "CORS",
  preflight: "CORS preflight",
  clock: "Clock",
  trip: "Round trip",
};

export const link = (state, words) =>
  state === "live" ? good("is up") : bad(words.toLowerCase(), "Without it this page may be old. It tries again by itself; see the top right.");

export function path({ failed, status, ms: span, ...facts }, cause) {
  if (failed) return noAnswer(facts, cause);
  if (status === 404 || status === 405 || (status >= 300 && status < 400)) {
    return bad(`is answered with ${status}`, "A proxy in between rewrites the path: let /api/ pass through unchanged.");
  }
  if (status >= 500) return bad(`is answered with ${status}`, "The server or a proxy in front of it has a problem; its log says which.");
  return good("is answered", span);
}

export function key({ status, json }) {
  if (status === 200) return good("is accepted");
  if (status === 429) return limited;
  return bad(`is refused with ${status}`, json?.detail ?? "Reload this page, and copy the DSN once more.");
}

export const endpoint = ({ failed, ms: span, ...facts }, cause) => (failed ? noAnswer(facts, cause) : good("are not blocked", span));

export function body({ failed, status, json, ms: span, ...facts }, size, cause) {
  if (failed) return noAnswer(facts, cause);
  if (status === 429) return limited;
  if (status === 413) return bad("is cut off with 413", NGINX);
  if (status !== 200) return bad(`is answered with ${status}`, json?.detail ?? NGINX);
  return json?.received === size ? good("passes", span) : bad("arrives with another length", "A proxy in between changes bodies.");
}

export const cors = ({ headers }) =>
  headers.get("access-control-allow-origin") ? good("any site may send") : bad("the header is missing", "A proxy removes Access-Control-Allow-Origin from the answers: let it pass.");

export function preflight({ failed, status }, away) {
  if (failed) return bad("is not answered", "A proxy answers OPTIONS itself: let OPTIONS pass through to the server.");
  if (status === 429) return limited;
  if (status !== 200) return bad(`is followed by ${status}`, "A proxy removes the header X-Sentry-Auth: let it pass.");
  return good(away ? "passes" : "is not needed from here");
}

/** The server's clock against this browser's, in the middle of the request. */
export function clock({ json, sentAt, ms: span }) {
  const server = Date.parse(json?.now ?? "");
  if (Number.isNaN(server)) return skipped;
  const skew = sentAt + span / 2 - server;
  const apart = duration(Math.abs(skew));
  if (Math.abs(skew) <= ALLOWED_SKEW) return good(Math.abs(skew) < 1_000 ? "agrees" : `is ${apart} apart`);
  return bad(`this computer is ${apart} ${skew > 0 ? "ahead" : "behind"}`, "Set the clock by the network (NTP), on this computer or on the server.");
}

export const trip = (span) =>
  span === null
    ? bad("this page did not see it within 5 s", "A proxy has to pass WebSockets (the Upgrade header) or unbuffered streams through to /live/.")
    : good("this page saw it", span);

/** One sentence for the end. */
export function summary(rows) {
  const failed = rows.filter(({ ok }) => ok === false).length;
  if (!failed) return "All is well between this browser and the server.";
  return failed === 1 ? "One thing to mend." : `${failed} things to mend.`;
}

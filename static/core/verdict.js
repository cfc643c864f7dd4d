/** What the facts of a check mean, in words. Pure. */

import { refusedBecause } from "./evidence.js";

/** @import { Cause, Circumstances, Facts, LinkName, Problem, Result } from "./types.js" */
/** @import { Words } from "./words.js" */

const ALLOWED_SKEW = 60_000;

/** The rows of the check, in their order. */
export const ROWS = /** @type {const} */ ([
  "link",
  "path",
  "key",
  "endpoint",
  "small",
  "large",
  "cors",
  "preflight",
  "clock",
  "trip",
]);

/** @typedef {typeof ROWS[number]} Row */

/**
 * Why a browser gets no answer: the most certain cause; null where the second attempt got through.
 *
 * @param {Circumstances} seen
 * @returns {Cause | null}
 */
export function causeOf({ passed, offline, behindTls, csp, mixed, away, ownAnswers, hostAnswers, opaqueAnswers }) {
  if (passed) return null;
  if (offline) return "offline";
  if (behindTls) return "scheme";
  if (csp) return "csp";
  if (mixed) return "mixed";
  if (!ownAnswers) return "down";
  if (away && !hostAnswers) return "unreachable";
  return away && opaqueAnswers ? "cors" : "blocker";
}

/**
 * Those that a user has to remove in the browser, or between it and the server.
 *
 * @param {Cause | null} cause
 * @returns {cause is Exclude<Cause, "offline" | "down">}
 */
export const isBlocked = (cause) => cause !== null && cause !== "offline" && cause !== "down";

/** The server of an ingest address, over TLS. @param {string} address */
const overTls = (address) => address.replace(/^http:/, "https:").replace(/\/api\/\d+(\/.*)?$/, "");

/** The problem that a cause makes. @param {Cause} cause */
export const problemOf = (cause) => (cause === "scheme" ? "http_dsn" : "browser_blocked");

export class Verdict {
  #words;
  #say;

  /** @param {Words} words */
  constructor(words) {
    this.#words = words;
    this.#say = words.messages.check;
    /** Not tried, since something before it failed. @type {Result} */
    this.skipped = { ok: null, text: this.#say.not_tried, time: "" };
  }

  /** @param {Row} row */
  nameOf = (row) => this.#say[row].name;

  /**
   * `browser_blocked` or `http_dsn` as the server would tell it, with what was found.
   *
   * @param {Omit<Problem, "count" | "first_at" | "last_at" | "resolved">} said by the server
   * @param {Cause} cause
   * @param {string} address
   * @param {number} at
   * @returns {Problem}
   */
  blockedProblem(said, cause, address, at) {
    const { name, fix } = this.#say.causes[cause];
    const time = new Date(at).toISOString();
    const { host, pathname } = new URL(address);
    const evidence = { stopped_by: name, address: host + pathname };
    const seen = { count: 1, first_at: time, last_at: time, resolved: false };
    // What this server would have to be called, for whoever runs it.
    if (cause === "scheme") return { ...said, fix: `FIRSTLIGHT_PUBLIC_URL=${overTls(address)}`, ...seen };
    const checks = cause === "blocker" ? [] : [fix]; // the words say it already
    return { ...said, checks, evidence, ...seen };
  }

  /** @param {LinkName} state @param {string} words what the link says of itself */
  link(state, words) {
    const { ok, fix } = this.#say.link;
    return state === "live" ? this.#good(ok) : this.#bad(words.toLowerCase(), fix);
  }

  /** @param {Facts} facts @param {Cause | null} [cause] */
  path(facts, cause) {
    if (facts.failed) return this.#noAnswer(facts, cause);
    const { ok, rewritten, broken } = this.#say.path;
    const status = facts.status ?? 0;
    if (status === 404 || status === 405 || (status >= 300 && status < 400))
      return this.#answeredWith(status, rewritten);
    return status >= 500 ? this.#answeredWith(status, broken) : this.#good(ok, facts.ms);
  }

  /** @param {Facts} facts */
  key({ status = 0, json }) {
    const { ok, refused, fix } = this.#say.key;
    if (status === 200) return this.#good(ok);
    if (status === 429) return this.#limited();
    return this.#bad(this.#words.say(refused, { status }), refusedBecause(json, this.#words) ?? fix);
  }

  /** @param {Facts} facts @param {Cause | null} [cause] */
  endpoint(facts, cause) {
    return facts.failed ? this.#noAnswer(facts, cause) : this.#good(this.#say.endpoint.ok, facts.ms);
  }

  /** @param {Facts} facts @param {number} size as it was sent @param {Cause | null} [cause] */
  body(facts, size, cause) {
    if (facts.failed) return this.#noAnswer(facts, cause);
    const { ok, cut, changed, changed_fix: fix } = this.#say.body;
    const { status = 0, json, ms } = facts;
    if (status === 429) return this.#limited();
    if (status === 413) return this.#bad(cut, this.#say.small_proxy);
    if (status !== 200) return this.#answeredWith(status, refusedBecause(json, this.#words) ?? this.#say.small_proxy);
    return json?.received === size ? this.#good(ok, ms) : this.#bad(changed, fix);
  }

  /** @param {Facts} facts */
  cors({ headers }) {
    const { ok, missing, fix } = this.#say.cors;
    return headers?.get("access-control-allow-origin") ? this.#good(ok) : this.#bad(missing, fix);
  }

  /** @param {Facts} facts @param {boolean} away whether the address is of another origin */
  preflight({ failed, status = 0 }, away) {
    const words = this.#say.preflight;
    if (failed) return this.#bad(words.unanswered, words.unanswered_fix);
    if (status === 429) return this.#limited();
    if (status !== 200) return this.#bad(this.#words.say(words.followed, { status }), words.followed_fix);
    return this.#good(away ? words.ok : words.not_needed);
  }

  /**
   * The server's clock against this browser's, in the middle of the request.
   *
   * @param {Facts} facts
   */
  clock({ json, sentAt = 0, ms = 0 }) {
    const { agrees, apart, ahead, behind, fix } = this.#say.clock;
    const server = Date.parse(json?.now ?? "");
    if (Number.isNaN(server)) return this.skipped;
    const skew = sentAt + ms / 2 - server;
    const time = this.#words.duration(Math.abs(skew));
    if (Math.abs(skew) < 1_000) return this.#good(agrees);
    if (Math.abs(skew) <= ALLOWED_SKEW) return this.#good(this.#words.say(apart, { time }));
    return this.#bad(this.#words.say(skew > 0 ? ahead : behind, { time }), fix);
  }

  /** @param {number | null} span until this page saw the check, or null where it never did */
  trip(span) {
    const { ok, unseen, fix } = this.#say.trip;
    return span === null ? this.#bad(unseen, fix) : this.#good(ok, span);
  }

  /** One sentence for the end. @param {Pick<Result, "ok">[]} rows */
  summary(rows) {
    const count = rows.filter(({ ok }) => ok === false).length;
    return count ? this.#words.say(this.#say.failed, { count }) : this.#say.well;
  }

  /** @param {Facts} facts @param {Cause | null} [cause] */
  #noAnswer({ timedOut }, cause) {
    const { timed_out: late, no_answer: none, causes, try_again: again } = this.#say;
    return this.#bad(timedOut ? late : none, cause ? causes[cause].fix : again);
  }

  /** @param {number} status @param {string} fix */
  #answeredWith(status, fix) {
    return this.#bad(this.#words.say(this.#say.answered_with, { status }), fix);
  }

  #limited() {
    return this.#bad(this.#say.limited, this.#say.limited_fix);
  }

  /** @param {string} text @param {number} [span] @returns {Result} */
  #good(text, span) {
    return { ok: true, text, time: span === undefined ? "" : this.#milliseconds(span) };
  }

  /** @param {string} text @param {string} fix @returns {Result} */
  #bad(text, fix) {
    return { ok: false, text, fix, time: "" };
  }

  /** @param {number} span */
  #milliseconds(span) {
    if (span >= 1_000) return this.#words.duration(span);
    return this.#words.say(this.#say.milliseconds, { count: Math.round(span) });
  }
}

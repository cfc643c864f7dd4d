/**
 * Keeps one live link: a WebSocket, or Server-Sent Events where WebSockets are
 * blocked. No correctness rests on a message arriving: the first snapshot after
 * a (re)connect is the store's truth, whatever was missed, and told as `fresh`.
 */

import { CLOSE_CODES, reconnects } from "./close_codes.js";

const FIRST_DELAY = 1_000;
/** The longest pause while somebody is likely to sit there and wait: some three minutes of tries. */
const SHORT_DELAY = 5_000;
const SHORT_TRIES = 60;
/** After that, a server that is away for long is not asked too often. */
const MAX_DELAY = 30_000;
/** The server pings every 10 s: one that is 6 s late means a dead link, which is found again within 20 s. */
const SILENCE = 16_000;
/** From the attempt to its first message. */
const OPENING = 6_000;
/** A project that was shown and is not there may be back in a moment: a store that lost it is given it back. */
const MISSING = 60_000;
/** So many WebSockets that never opened, while plain HTTP worked, mean blocked. */
const BLOCKED = 2;

/** @import { Link, Message, StopReason } from "./types.js" */

/** @typedef {{ fresh: boolean, events: boolean, close: () => void }} Attempt One try to be connected. */
/** @typedef {{ message: (message: Message, fresh: boolean) => void, link: (link: Link) => void }} Listener */

/** Why another try cannot help after a close, or null where it can. @param {number} code */
function reasonOf(code) {
  return reconnects(code) ? null : /** @type {StopReason} */ (CLOSE_CODES[code]?.name ?? "refused");
}

/** The same after an answer of HTTP: 401 says what 4401 does, and any other may pass. @param {number} status */
function reasonOfStatus(status) {
  return 4_000 + status in CLOSE_CODES ? reasonOf(4_000 + status) : null;
}

/**
 * Full jitter: anywhere between at once and a ceiling that doubles up to 5 s, and after some minutes to 30 s.
 *
 * @param {number} attempt
 * @param {number} random
 */
export function backoff(attempt, random) {
  const ceiling = attempt < SHORT_TRIES ? SHORT_DELAY : MAX_DELAY;
  return random * Math.min(ceiling, FIRST_DELAY * 2 ** Math.min(attempt, 10));
}

export class Connection {
  #url;
  #token;
  #tell;
  #world;
  /** @type {Attempt | null} */
  #link = null;
  /** @type {Link["state"]} */
  #status = "idle";
  #attempt = 0;
  #blocked = 0;
  #isShown = false;
  /** Since when the project is missing, or null. @type {number | null} */
  #missingSince = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;

  /**
   * @param {URL} url `…/live/{id}`
   * @param {string | null} token null where a cookie or nothing is needed
   * @param {Listener} tell
   * @param {typeof globalThis} world what it reaches the network and the time by
   */
  constructor(url, token, tell, world = globalThis) {
    this.#url = url;
    this.#token = token;
    this.#tell = tell;
    this.#world = world;
  }

  start() {
    this.#world.clearTimeout(this.#retry);
    this.#say("connecting", { again: this.#attempt > 0, offline: this.#offline() });
    /** @type {Attempt} */
    const link = { fresh: true, events: this.#blocked >= BLOCKED, close() {} };
    this.#link = link;
    const message = (/** @type {string} */ text) => this.#link === link && this.#received(link, parse(text));
    const closed = (/** @type {number} */ code) => this.#link === link && this.#lost(code);
    link.close = link.events ? this.#openEvents(message, closed) : this.#openSocket(message, closed);
    this.#watch(OPENING);
  }

  /** The user, the network or a woken tab asks for a try at once. */
  retryNow() {
    if (this.#status === "waiting") this.start();
  }

  /** @param {StopReason} reason */
  stop(reason) {
    this.#drop();
    this.#world.clearTimeout(this.#retry);
    this.#say("stopped", { reason });
  }

  /** The browser says it is offline; a server on this very machine may answer all the same. */
  async verify() {
    const link = this.#link;
    if (link && (await this.#probe()) === 0 && this.#link === link) this.#lost(1006);
  }

  /** @param {(text: string) => void} message @param {(code: number) => void} closed */
  #openSocket(message, closed) {
    const url = `${this.#url.href.replace(/^http/, "ws")}/ws`;
    const socket = new this.#world.WebSocket(url);
    const hello = this.#token ? { type: "auth", token: this.#token } : { type: "auth" };
    // The token travels in the first message: URLs get logged.
    socket.onopen = () => socket.send(JSON.stringify(hello));
    socket.onmessage = (event) => message(event.data);
    socket.onclose = (event) => closed(event.code);
    return () => socket.close();
  }

  /** @param {(text: string) => void} message @param {(code: number) => void} closed */
  #openEvents(message, closed) {
    const source = new this.#world.EventSource(`${this.#url.href}/events`);
    source.onmessage = (event) => message(event.data);
    // Its own reconnecting has no jitter and no end.
    source.onerror = () => closed(1006);
    return () => source.close();
  }

  /** @param {Attempt} link @param {Message | null} message */
  #received(link, message) {
    if (!message) return;
    this.#watch(SILENCE);
    if (message.type === "goodbye") return this.#lost(1001, message.retry_in);
    const fresh = link.fresh && message.type === "snapshot";
    if (fresh) link.fresh = false;
    if (fresh || message.type === "delayed") this.#arrived(link);
    this.#tell.message(message, fresh);
  }

  /** @param {Attempt} link */
  #arrived(link) {
    this.#attempt = 0;
    if (!link.fresh) this.#isShown = true;
    this.#missingSince = null;
    if (!link.events) this.#blocked = 0;
    if (this.#status !== "live") this.#say("live");
  }

  /**
   * @param {number} code
   * @param {number} [retryIn] seconds that the server asked for: it spreads the herd
   */
  #lost(code, retryIn) {
    const link = this.#link;
    this.#drop();
    const reason = reasonOf(code);
    if (reason && !this.#mayComeBack(reason)) return this.stop(reason);
    const asked = retryIn !== undefined && retryIn >= 0 ? Math.min(retryIn * 1_000, MAX_DELAY) : null;
    const delay = asked ?? backoff(this.#attempt, this.#world.Math.random());
    this.#attempt += 1;
    this.#say("waiting", { retryAt: this.#world.Date.now() + delay, offline: this.#offline() });
    this.#retry = this.#world.setTimeout(() => this.start(), delay);
    if (link?.fresh && asked === null) this.#diagnose(link);
  }

  /**
   * It never opened: is it the server, the way or the permission? Plain HTTP tells.
   *
   * @param {Attempt} attempt
   */
  async #diagnose({ events }) {
    // Where both ways failed, the next try is a WebSocket again.
    if (events) this.#blocked = BLOCKED - 1;
    const status = await this.#probe();
    if (this.#status !== "waiting" && this.#status !== "connecting") return;
    const reason = reasonOfStatus(status);
    if (reason && !this.#mayComeBack(reason)) return this.stop(reason);
    if (status === 200 && !events) this.#blocked += 1;
    if (this.#blocked >= BLOCKED) this.retryNow();
  }

  /** Whether what is missing was there a moment ago. @param {StopReason} reason */
  #mayComeBack(reason) {
    if (reason !== "missing" || !this.#isShown) return false;
    const now = this.#world.Date.now();
    this.#missingSince ??= now;
    return now - this.#missingSince < MISSING;
  }

  /** The status of `GET /live/{id}`, or 0 without an answer. */
  async #probe() {
    /** @type {Record<string, string>} */
    const headers = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
    try {
      const signal = AbortSignal.timeout(5_000);
      return (await this.#world.fetch(this.#url, { headers, signal, cache: "no-store" })).status;
    } catch {
      return 0;
    }
  }

  #offline() {
    return this.#world.navigator?.onLine === false;
  }

  /** @param {number} patience */
  #watch(patience) {
    this.#world.clearTimeout(this.#silence);
    this.#silence = this.#world.setTimeout(() => this.#lost(1006), patience);
  }

  #drop() {
    const link = this.#link;
    this.#link = null; // First, so that the close that follows is nobody's business.
    this.#world.clearTimeout(this.#silence);
    link?.close();
  }

  /** @param {Link["state"]} state @param {Omit<Link, "state">} [details] */
  #say(state, details) {
    this.#status = state;
    this.#tell.link({ state, ...details });
  }
}

/**
 * A message is an object with a type; anything else is not worth a crash.
 *
 * @param {string} text
 * @returns {Message | null}
 */
function parse(text) {
  try {
    const message = JSON.parse(text);
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}

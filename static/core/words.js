/** All that a page says of its state, in one language. Pure: times are arguments, in ms. */

import { Format, joined, plainName, time } from "./format.js";
import { linkState, liveness, reachedAt, STAGES, stageOf } from "./state.js";

/** @import { Checked, CheckedBy, Feature, Messages, News, Snapshot, Stage, State } from "./types.js" */

export class Words extends Format {
  /** @param {Messages} messages @param {string} [language] @param {string} [locale] see `Format` */
  constructor(messages, language = "en", locale = language) {
    super(messages, language, locale);
    /** What is said word by word. */
    this.messages = messages;
  }

  /**
   * What proves a stage, how long it took, and when that was.
   *
   * @param {Stage} stage
   * @param {State} state
   * @param {number} now
   */
  when(stage, state, now) {
    const clock = now + state.skew;
    if (stage === "awaiting") return this.#waiting(state, clock);
    const reached = reachedAt(stage, state);
    if (reached === null) return "";
    const proof = stage === "connected" && this.proof(state);
    return joined(proof, this.#took(stage, reached, state), this.clock(reached, clock));
  }

  /** What a platform says of itself: its file is English, and so is what has no translation. @param {string} note */
  note(note) {
    return this.messages.notes?.[note] ?? note;
  }

  /** With which SDK a platform's code was tried, when and how. @param {Checked | null | undefined} checked */
  checked(checked) {
    if (!checked) return "";
    const { version, date, how } = checked;
    return this.say(this.messages.steps.tried[how], { version, date: this.day(date) });
  }

  /** What proved the connection. @param {Pick<State, "snapshot">} state */
  proof({ snapshot }) {
    /** @type {Record<string, string>} */
    const proofs = this.messages.proofs;
    return proofs[snapshot?.connected_by ?? ""] ?? "";
  }

  /** What showed that the way works, and was not the app. @param {CheckedBy} by */
  way({ source }) {
    /** @type {Record<string, string>} */
    const sources = this.messages.way.sources;
    return sources[source] ?? "";
  }

  /** @param {State} state @param {number} clock the server's time */
  #waiting(state, clock) {
    const { waiting, created } = this.messages.stages;
    const { at, what } = state.since;
    if (stageOf(state) === "awaiting") {
      return this.say(waiting[what], { time: this.duration(clock - at - state.skew, true) });
    }
    const made = reachedAt("awaiting", state);
    return made === null ? "" : this.say(created, { time: this.ago(made, clock) });
  }

  /** @param {Stage} stage @param {number} reached @param {State} state */
  #took(stage, reached, state) {
    const { after } = this.messages.stages;
    const connected = reachedAt("connected", state);
    if (stage === "connected" || connected === null) return this.#fromStart(reached, state);
    const span = reached - connected;
    if (!span) return after.together;
    return span < 50 ? after.at_once : this.say(after.connected, { time: this.duration(span) });
  }

  /** @param {number} reached @param {State} state */
  #fromStart(reached, state) {
    const { after } = this.messages.stages;
    const span = reached - state.since.at - state.skew;
    if (span >= 0) return this.say(after[state.since.what], { time: this.duration(span) });
    const made = reachedAt("awaiting", state);
    return made !== null && reached >= made ? this.say(after.created, { time: this.duration(reached - made) }) : "";
  }

  /** What to do first about a problem that keeps the app from going on; nothing for others. @param {string} code */
  mend(code) {
    /** @type {Record<string, string>} */
    const mend = this.messages.status.mend;
    return mend[code] ?? "";
  }

  /** @param {Pick<State, "snapshot">} state */
  errorTitle({ snapshot }) {
    return snapshot?.first_error?.title || this.messages.status.untitled;
  }

  /**
   * `12 s ago`, or `quiet for 2 min` where a promised beat is overdue.
   *
   * @param {State} state
   * @param {number} now
   */
  lastSeen(state, now) {
    const last = time(state.snapshot?.liveness.last_seen_at);
    if (last === null) return "";
    const clock = now + state.skew;
    if (liveness(state, now) !== "quiet") return this.ago(last, clock);
    return this.say(this.messages.time.quiet, { time: this.duration(clock - last) });
  }

  /**
   * What the link says; `retry`: whether trying now makes sense.
   *
   * @param {State} state
   * @param {number} now
   */
  link(state, now) {
    const { link } = state;
    const words = this.messages.link;
    const retry = link.state === "waiting";
    const seconds = Math.ceil(((link.retryAt ?? now) - now) / 1_000);
    const trying = link.again ? words.reconnecting : words.connecting;
    const reconnecting = retry && seconds > 0 ? this.say(words.reconnecting_in, { seconds }) : trying;
    const name = linkState(state);
    return {
      text: name === "reconnecting" ? reconnecting : words[name],
      retry,
      reason: link.reason && words.reasons[link.reason],
    };
  }

  /**
   * `[code, text]` of what is known of the application.
   *
   * @param {Snapshot} snapshot
   * @returns {[keyof Messages["facts"], string][]}
   */
  facts({ sdk, app, config, liveness: alive }) {
    const facts = /** @type {[keyof Messages["facts"], string][]} */ ([
      ["sdk", sdkText(sdk)],
      ["release", app.release ?? ""],
      ["environment", app.environment ?? ""],
      ["runtime", app.runtime ?? ""],
      ["config", this.config(config)],
      ["last_seen", alive.last_seen_at ? " " : ""],
    ]);
    return facts.filter(([, value]) => value);
  }

  /**
   * `{traces_sample_rate: 0.2, enable_logs: true}` as `Traces 20 % · Logs on`.
   *
   * @param {Snapshot["config"]} config
   */
  config(config) {
    /** @type {Record<string, string>} */
    const names = this.messages.options.names;
    const known = Object.entries(config).filter(([, value]) => value !== null);
    const name = (/** @type {string} */ key) => names[key] ?? plainName(key.replace(/^enable_|_sample_rate$/g, ""));
    return joined(...known.map(([key, value]) => `${name(key)} ${this.#setting(key, value)}`));
  }

  /** @param {string} key @param {unknown} value */
  #setting(key, value) {
    const { on, off, percent } = this.messages.options;
    if (typeof value === "boolean") return value ? on : off;
    const isRate = key.endsWith("sample_rate") && typeof value === "number" && value >= 0;
    return isRate ? this.say(percent, { count: Math.round(value * 1_000) / 10 }) : plain(value);
  }

  /** @param {string} name @param {"features" | "signals" | "picker" | "variants"} of */
  nameOf(name, of) {
    /** @type {Record<string, string>} */
    const names = this.messages[of].names;
    return names[name] ?? plainName(name);
  }

  /** How far a feature is, where no time says it. @param {Feature} feature */
  feature({ state, inferred }) {
    const { configured, inferred: guessed, off } = this.messages.features;
    return { received: "", configured: inferred ? guessed : configured, off }[state];
  }

  /**
   * What the live region speaks: stages and problems, never heartbeats.
   *
   * @param {News} news
   * @param {Pick<State, "snapshot">} state
   */
  announcement({ stage, raised, resolved }, state) {
    const { raised: problem, over } = this.messages.problems_list;
    return [
      stage && `${this.messages.status.headlines[stage]}.`,
      stage === STAGES[2] && `${this.errorTitle(state)}.`,
      ...raised.flatMap(({ code, summary }) => [this.say(problem, { summary }), this.mend(code)]),
      ...resolved.map(({ summary }) => this.say(over, { summary })),
    ]
      .filter(Boolean)
      .join(" ");
  }
}

/** @param {{ name?: string | null, version?: string | null }} sdk */
export const sdkText = ({ name, version }) => [name, version].filter(Boolean).join(" ");

/** @param {unknown} value */
export const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value));

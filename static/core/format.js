/** Sentences with gaps, times and numbers, in the words of one language. Pure: times are arguments, in ms. */

/** @import { Messages, Template } from "./types.js" */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Milliseconds of an ISO time, or null. @param {unknown} iso */
export function time(iso) {
  const value = typeof iso === "string" ? Date.parse(iso) : Number.NaN;
  return Number.isNaN(value) ? null : value;
}

/** `check_in` as `Check in`, for what has no words of its own. @param {string} name */
export function plainName(name) {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** @param {unknown[]} parts */
export const joined = (...parts) => parts.filter(Boolean).join(" · ");

/**
 * Characters that change how others are read (controls, directions, invisible ones) as their numbers.
 *
 * @param {string} text that anybody may have sent
 */
export function visible(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (found) =>
    found === "\n" ? found : `\\u{${found.codePointAt(0)?.toString(16)}}`,
  );
}

export class Format {
  #time;
  #sizes;
  #plural;
  #locale;

  /**
   * @param {Messages} messages
   * @param {string} language a BCP 47 tag: which plural forms there are
   * @param {string} [locale] the same, perhaps with a region: how dates and numbers are written
   */
  constructor(messages, language, locale = language) {
    this.#time = messages.time;
    this.#sizes = messages.sizes;
    this.#plural = new Intl.PluralRules(language);
    this.#locale = locale;
    this.language = language;
  }

  /**
   * A sentence with its gaps filled, once: what fills one may hold braces.
   *
   * @param {Template} template
   * @param {Record<string, string | number>} [gaps] `count` chooses the form
   * @param {number} [digits] after the point, of those that are numbers
   */
  say(template, gaps = {}, digits = 0) {
    const text = typeof template === "string" ? template : this.#form(template, Number(gaps.count));
    return text.replace(/\{([^{}]+)\}/g, (gap, name) => this.#written(gaps[name] ?? gap, digits));
  }

  /** @param {string | number} value @param {number} digits */
  #written(value, digits) {
    if (typeof value === "string") return value;
    return value.toLocaleString(this.#locale, { minimumFractionDigits: digits, maximumFractionDigits: digits || 1 });
  }

  /** @param {Exclude<Template, string>} forms @param {number} count */
  #form(forms, count) {
    return forms[this.#plural.select(count)] ?? forms.other ?? "";
  }

  /**
   * `12 s ago`. A time ahead of us is a clock that differs, not the future.
   *
   * @param {number} then
   * @param {number} now
   */
  ago(then, now) {
    const age = now - then;
    if (age < 1_500) return this.#time.now;
    if (age >= DAY && age < 2 * DAY) return this.#time.yesterday;
    return this.say(this.#time.ago, { time: this.duration(age, true) });
  }

  /**
   * `3.2 s`, `48 s`, `2 min 5 s`, `3 h 10 min`, `2 days`.
   *
   * @param {number} span
   * @param {boolean} [coarse] keeps the first part, whole
   */
  duration(span, coarse = false) {
    const { seconds, minutes, hours, days } = this.#time;
    if (span < MINUTE) return this.#counted(seconds, ...shortSeconds(span, coarse));
    if (span >= DAY) return this.#counted(days, Math.floor(span / DAY));
    const [large, small, ...names] = span < HOUR ? [MINUTE, 1_000, minutes, seconds] : [HOUR, MINUTE, hours, minutes];
    const rest = Math.floor((span % large) / small);
    const head = this.#counted(names[0], Math.floor(span / large));
    return rest && !coarse ? `${head} ${this.#counted(names[1], rest)}` : head;
  }

  /** @param {Template} template @param {number} count @param {number} [digits] */
  #counted = (template, count, digits) => this.say(template, { count }, digits);

  /** `2 hours`, `3 days`: in words, the largest unit alone. @param {number} span of whole minutes, hours or days */
  span(span) {
    const [unit, length] = span >= 2 * DAY ? ["day", DAY] : span >= 2 * HOUR ? ["hour", HOUR] : ["minute", MINUTE];
    const style = /** @type {const} */ ({ style: "unit", unit, unitDisplay: "long" });
    return Math.floor(span / Number(length)).toLocaleString(this.#locale, style);
  }

  /** `a, b and c`. @param {string[]} items */
  list(items) {
    return new Intl.ListFormat(this.#locale).format(items);
  }

  /** `312 B`, `2.8 KB`, `14 MB`. @param {number} bytes */
  size(bytes) {
    const { bytes: small, kilobytes, megabytes } = this.#sizes;
    if (bytes < 1_000) return this.#counted(small, bytes);
    const [unit, count] = bytes < 999_500 ? [kilobytes, bytes / 1_000] : [megabytes, bytes / 1_000_000];
    return count < 9.95 ? this.#counted(unit, count, 1) : this.#counted(unit, Math.round(count));
  }

  /** A day of no zone, as it is written where this is read. @param {string} iso */
  day(iso) {
    return new Date(iso).toLocaleDateString(this.#locale, { dateStyle: "medium", timeZone: "UTC" });
  }

  /** The date, the second and the zone, as they are written where this is read. @param {number} then */
  exact(then) {
    return new Date(then).toLocaleString(this.#locale, { dateStyle: "medium", timeStyle: "long" });
  }

  /**
   * `12 s ago · 14:03:22 UTC`; with the date where it was another day.
   *
   * @param {number} then
   * @param {number} now
   */
  moment(then, now) {
    return joined(this.ago(then, now), this.clock(then, now));
  }

  /**
   * `14:03:22 UTC`; with the date where it was another day.
   *
   * @param {number} then
   * @param {number} now
   */
  clock(then, now) {
    const [day, today] = [then, now].map((at) => new Date(at).toDateString());
    return day === today ? new Date(then).toLocaleTimeString(this.#locale, { timeStyle: "long" }) : this.exact(then);
  }
}

/**
 * Below ten seconds a tenth matters. Gives the seconds, and their digits after the point.
 *
 * @param {number} span
 * @param {boolean} coarse
 * @returns {[number, number]}
 */
function shortSeconds(span, coarse) {
  return coarse || span >= 10_000 ? [Math.floor(span / 1_000), 0] : [Math.max(0, span) / 1_000, 1];
}

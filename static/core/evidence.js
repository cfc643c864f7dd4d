/**
 * What is evident, in the words of the page's language: the server sends it in English, and beside that as numbers and
 * codes. What is a name, an address or a stranger's text has no other words, and stays as it came.
 */

/** @import { Dropped, Problem } from "./types.js" */
/** @import { Words } from "./words.js" */

/** What is said of a value, by the name of the evidence. @type {Record<string, (value: any, words: Words) => string>} */
const FORMS = {
  interval: measured,
  "last signal": (name, words) => words.nameOf(name, "signals"),
  limit: bytes,
  lost: (names, words) => words.list(names.map((/** @type {string} */ name) => words.nameOf(name, "signals"))),
  more: (lost, words) => words.list(lost.map((/** @type {Dropped} */ one) => withReason(one, words))),
  reason,
  sent: bytes,
  size: bytes,
  skew,
  waited: measured,
  what,
};

/**
 * The evidence of a problem, with the words of the page's language where its values are known.
 *
 * @param {Pick<Problem, "evidence" | "values">} problem
 * @param {Words} words
 * @returns {Record<string, unknown>}
 */
export function inWords({ evidence, values }, words) {
  const known = Object.entries(values ?? {}).filter(([name]) => name in FORMS);
  const said = known.map(([name, value]) => [name, FORMS[name](value, words)]);
  const { cause, ...rest } = { ...evidence, ...Object.fromEntries(said) };
  const detail = refusal(cause, rest, words);
  if (!detail) return rest;
  // The sentence says what its reason and its finding say.
  const { reason: _, found: __, ...beside } = rest;
  return { ...beside, detail };
}

/**
 * Why the server refused something, as far as there are words for it.
 *
 * @param {{ code?: string, type?: string, detail?: string } | null} answer its body
 * @param {Words} words
 * @returns {string | undefined}
 */
export function refusedBecause(answer, words) {
  const name = answer?.code ?? answer?.type?.split(":").at(-1)?.replaceAll("-", "_");
  return refusal(name, {}, words) ?? answer?.detail;
}

/** @param {unknown} name @param {Record<string, unknown>} gaps @param {Words} words */
function refusal(name, gaps, words) {
  /** @type {Record<string, string>} */
  const sentences = words.messages.refusals;
  const sentence = typeof name === "string" && Object.hasOwn(sentences, name) ? sentences[name] : null;
  if (!sentence) return undefined;
  const isWhole = [...sentence.matchAll(/\{([^{}]+)\}/g)].every(([, gap]) => gap in gaps);
  return isWhole ? words.say(sentence, /** @type {Record<string, string>} */ (gaps)) : undefined;
}

/** `2.5 s`, `60 s`, `3 min`. @param {number} span @param {Words} words */
function measured(span, words) {
  const { seconds } = words.messages.time;
  return span < 120_000 ? words.say(seconds, { count: span / 1_000 }) : words.duration(span);
}

/** Exact: what is one byte too large has to look so. @param {number} count @param {Words} words */
function bytes(count, words) {
  return words.say(words.messages.sizes.bytes, { count });
}

/** @param {number} span negative: behind @param {Words} words */
function skew(span, words) {
  const { ahead, behind } = words.messages.clock;
  return words.say(span < 0 ? behind : ahead, { time: words.span(Math.abs(span)) });
}

/** @param {Dropped} dropped @param {Words} words */
function what({ count, category }, words) {
  /** @type {Record<string, import("./types.js").Template>} */
  const forms = words.messages.dropped.what;
  return words.say(forms[category] ?? forms.default, { count });
}

/** @param {string} name as an option or a reason is called, which has no other words @param {Words} words */
function reason(name, words) {
  return name === "own rules" ? words.messages.dropped.rules : name;
}

/** @param {Dropped} dropped @param {Words} words */
function withReason(dropped, words) {
  return `${what(dropped, words)} (${reason(dropped.reason, words)})`;
}

/**
 * What is said of a problem: in the words of the page's language where it has them, else as the server says it.
 *
 * What a stranger sent stands in the evidence alone. The fix is the server's, made of a template of its own; the page
 * puts the values of the project's own DSN into it, and nothing else: somebody is about to paste it into a terminal.
 */

import { inWords } from "./evidence.js";
import { plainName, visible } from "./format.js";
import { plain } from "./words.js";

/** @import { Problem } from "./types.js" */
/** @import { Words } from "./words.js" */

/** Evidence that the server measured or chose itself; a sentence may hold it. Everything else may be anybody's text. */
const OURS = [
  "expected",
  "interval",
  "last signal",
  "lost",
  "product",
  "reason",
  "sdk",
  "skew",
  "upgrade",
  "waited",
  "what",
];

/**
 * The problem with the words of the page's language.
 *
 * @param {Problem} problem as the server sent it
 * @param {Words} words
 * @returns {Problem}
 */
export function worded(problem, words) {
  const ours = words.messages.problems?.[problem.code];
  if (!ours) return problem;
  const evidence = inWords(problem, words);
  const gaps = gapsOf({ ...problem, evidence });
  const said = problem.checks?.map((text, i) => ours.checks?.[problem.check_names?.[i] ?? ""] ?? words.note(text));
  return {
    ...problem,
    evidence,
    summary: words.say(ours.summary, gaps),
    hint: words.say(ours.hint, gaps),
    checks: said?.map((text) => words.say(text, gaps)),
    ...(problem.fix ? { fix: words.note(problem.fix) } : {}),
  };
}

/** @param {Problem} problem @returns {Record<string, string | number>} */
function gapsOf({ evidence, count }) {
  const known = Object.entries(evidence ?? {}).filter(([name]) => OURS.includes(name));
  return { ...Object.fromEntries(known.map(([name, value]) => [name, visible(plain(value))])), count };
}

/**
 * What stands in the place of the summary of something that is over.
 *
 * @param {Problem} problem
 * @param {Words} words
 */
export function summaryOf({ code, summary, resolved, evidence }, words) {
  if (code !== "silence" || !resolved) return summary;
  const { silence_over: over, a_while: while_ } = words.messages.problems_list;
  return words.say(over, { waited: String(evidence?.waited ?? while_) });
}

/**
 * What is evident as `[label, text, name]`, beyond what the sentences say already; long texts come last.
 *
 * @param {Problem} problem
 * @param {Words} words
 * @returns {[string, string, string][]}
 */
export function evidenceOf({ evidence, summary, hint, checks, fix }, words) {
  /** @type {Record<string, string>} */
  const labels = words.messages.evidence;
  const said = [summary, hint, ...(checks ?? []), fix ?? ""];
  const detail = visible(plain(evidence?.detail ?? "")); // what the sender was answered, which quotes the rest
  const isSaid = (/** @type {string} */ text, /** @type {string} */ name) =>
    (name !== "detail" && detail.includes(text)) ||
    (OURS.includes(name) && said.some((sentence) => sentence.includes(text)));
  return Object.entries(evidence ?? {})
    .map(
      ([name, value]) =>
        /** @type {[string, string, string]} */ ([labels[name] ?? plainName(name), visible(plain(value)), name]),
    )
    .filter(([, text, name]) => !isSaid(text, name))
    .sort(([, a], [, b]) => Number(isLong(a)) - Number(isLong(b)));
}

/** Longer than a name or an address. @param {string} text */
export const isLong = (text) => text.length > 60;

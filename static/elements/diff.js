/** Two lines that differ: the DSN that an app sent, of whose key only the end is known, and the project's own. */

import { copyButton } from "./copy.js";
import { el } from "./dom.js";

/** @import { Problem, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/** How the server masks a key. Anything else is a stranger's text, and no part of an address. */
const MASKED = /^…([0-9a-f]{4})$/;

/**
 * Null where the problem is not about a key, or the project's own is not known.
 *
 * @param {Words} words
 * @param {Problem} problem
 * @param {Target | null} values
 * @param {Record<string, string>} copy of the button
 */
export function dsnDiff(words, { evidence, fix }, values, copy) {
  const end = MASKED.exec(String(evidence?.key ?? ""))?.[1];
  if (!end || !values || fix?.trim() !== "{{dsn}}") return null;
  const { sent, yours } = words.messages.problems_list;
  const { dsn, key } = values;
  // As long as the other, so that the ends of the keys stand below each other.
  const width = Math.max(sent.length, yours.length);
  const unknown = "·".repeat(Math.max(0, key.length - end.length));
  const [before, after] = dsn.split(key);
  const line = (/** @type {"del" | "ins"} */ kind, /** @type {Node | string} */ start, /** @type {string} */ tail) =>
    el(
      kind,
      { class: "diff-line" },
      kind === "ins" ? "+ " : "− ",
      el("span", { class: "diff-who", text: `${(kind === "ins" ? yours : sent).padEnd(width)}  ` }),
      el("span", { class: "diff-same" }, before, start),
      el("mark", { text: tail }),
      after,
    );
  const dots = el("span", { "aria-hidden": "true", text: unknown });
  const lines = [line("del", dots, end), line("ins", key.slice(0, -end.length), key.slice(-end.length))];
  const code = el("pre", { tabindex: "0" }, el("code", { dir: "ltr" }, lines));
  return el(
    "div",
    { class: "code diff" },
    copyButton(words, () => dsn, copy),
    code,
  );
}

/** A box of code: the key filled in, coloured, one click copies it. */

import { highlight } from "../core/highlight.js";
import { fill, textOf } from "../core/snippets.js";
import { copyButton } from "./copy.js";
import { el, once } from "./dom.js";

/** @import { Snippet, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */
/** @import { Attributes } from "./dom.js" */

/**
 * Fills a box, unless it shows the same already. What is copied is what is shown.
 *
 * @param {Element} box of the class `code`
 * @param {Words} words
 * @param {Snippet} snippet
 * @param {Target | null} values for the placeholders
 * @param {Attributes} copy of the button
 */
export function drawCode(box, words, { code, language, file }, values, copy) {
  const filled = fill(textOf(code), values);
  once(box, [file, filled], () => [
    el("span", { class: "file", text: file ?? "" }),
    copyButton(words, () => filled, copy),
    // What scrolls has to be reachable by keyboard.
    el("pre", { tabindex: "0" }, el("code", { dir: "ltr" }, spans(filled.trimEnd(), language, values))),
  ]);
}

/**
 * @param {Words} words
 * @param {Snippet} snippet
 * @param {Target | null} values
 * @param {Attributes} copy
 */
export function codeBox(words, snippet, values, copy) {
  const box = el("div", { class: "code" });
  drawCode(box, words, snippet, values, copy);
  return box;
}

/** @param {string} code @param {string | undefined} language @param {Target | null} values */
const spans = (code, language, values) =>
  highlight(code, language, values).map(([kind, text]) => (kind ? el("span", { class: `t-${kind}`, text }) : text));

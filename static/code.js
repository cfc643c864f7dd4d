/** A box of code: the key filled in, coloured, one click copies it. */

import { copyButton, el } from "./dom.js";
import { fill, highlight } from "./snippets.js";

/** Code is a text, or a list of lines as the platforms' files have it. */
export const textOf = (code) => (Array.isArray(code) ? `${code.join("\n")}\n` : code ?? "");

/**
 * Fills a box, unless it shows the same already.
 *
 * @param {Element} box of the class `code`
 * @param {object} snippet `{code, language, file}`
 * @param {?object} values for the placeholders
 * @param {object} copy attributes of the button
 */
export function drawCode(box, { code, language, file }, values, copy) {
  const filled = fill(textOf(code), values);
  const shown = `${file ?? ""}\n${filled}`;
  if (box.shown === shown) return;
  box.shown = shown;
  const parts = highlight(filled.trimEnd(), language, values);
  const spans = parts.map(([kind, text]) => (kind ? el("span", { class: `t-${kind}`, text }) : text));
  box.replaceChildren(
    el("span", { class: "file", text: file ?? "" }),
    copyButton(() => filled, copy),
    el("pre", { tabindex: "0" }, el("code", { dir: "ltr" }, spans)), // What scrolls has to be reachable by keyboard.
  );
}

export function codeBox(snippet, values, copy) {
  const box = el("div", { class: "code" });
  drawCode(box, snippet, values, copy);
  return box;
}

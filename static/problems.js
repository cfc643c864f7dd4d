/** The problems: calm, with what happened, why and what to do. What is only worth to know, or over, is folded up. */

import { codeBox } from "./code.js";
import { $, el, fact, icon, keepFocus, once, setText, timeNode } from "./dom.js";
import { grouped } from "./state.js";
import { evidenceOf, notesWords, openWords, summaryOf } from "./words.js";

/**
 * @param {object[]} problems in the order to be shown
 * @param {object} context `values` for the fixes, and the URL `root` of the server
 */
export function draw(problems, context) {
  const { open, notes, resolved } = grouped(problems);
  $("problems-section").hidden = !problems.length;
  $("problems-title").hidden = open.every(({ code }) => code === "silence");
  setText($("see-count"), openWords(open));
  $("see-count").toggleAttribute("data-problems", open.some(({ code }) => code !== "silence"));
  const rows = [...open, ...resolved].map((problem) => rowOf(problem, context));
  if (notes.length) rows.splice(open.length, 0, notesRow(notes, context));
  arrange($("problems"), rows);
}

/** Rows stay as long as they say the same: a focus or an open detail survives. */
function arrange(list, rows) {
  const same = rows.length === list.children.length && rows.every((row, i) => row === list.children[i]);
  if (!same) keepFocus(list, () => list.replaceChildren(...rows));
}

function rowOf(problem, context) {
  const row = $("problems").querySelector(`[data-code="${CSS.escape(problem.code)}"]`) ?? el("li", { "data-code": problem.code });
  const { count, last_at: last, ...said } = problem;
  row.className = problem.code === "silence" ? "problem usual" : "problem";
  row.dataset.severity = problem.severity;
  row.dataset.resolved = Boolean(problem.resolved);
  keepFocus(row, () => once(row, { said, values: context.values }, () => parts(problem, context, row)));
  // What grows by itself leaves the rest of the row alone.
  once(row.querySelector(".meta"), { count, last }, () => times(problem));
  return row;
}

function notesRow(notes, context) {
  const row = $("problems").querySelector(".notes") ?? el("li", { class: "notes" }, folded(el("summary"), el("ul")));
  setText(row.querySelector("summary"), notesWords(notes));
  arrange(row.querySelector("ul"), notes.map((note) => rowOf(note, context)));
  return row;
}

const folded = (...children) => el("details", {}, ...children);

const times = ({ resolved, count, last_at: last }) => [
  resolved ? "Resolved · " : null,
  count > 1 ? `${count} times · last ` : null,
  timeNode(last),
];

function parts(problem, context, row) {
  if (problem.resolved) return resolvedParts(problem, row);
  if (problem.code === "silence") return silenceParts(problem, context);
  const evidence = evidenceList(problem);
  const wasFolded = row.querySelector(".evidence")?.open === false;
  return [
    problem.severity === "note" ? null : icon("warn"),
    el(
      "div",
      {},
      el("p", { class: "summary", dir: "auto", text: problem.summary }),
      el("p", { class: "meta" }),
      ...advice(problem, context),
      evidence && el("details", { class: "evidence", open: wasFolded ? null : "" }, el("summary", { text: "Evidence" }), evidence),
      docsLink(problem, context),
    ),
  ];
}

/** Why, what to look at, what to paste. */
function advice({ hint, checks, fix, summary }, { values }) {
  return [
    hint ? el("p", { class: "hint", dir: "auto", text: hint }) : null,
    checks?.length ? el("ul", { class: "checks" }, checks.map((text) => el("li", { dir: "auto", text }))) : null,
    fix ? codeBox({ code: fix }, values, { "aria-label": `Copy the fix: ${summary}` }) : null,
  ];
}

/** Nothing is wrong yet, so it does not look like it. */
function silenceParts(problem, context) {
  return [
    el(
      "div",
      {},
      el("p", { class: "summary", text: "Nothing yet? What it usually is" }),
      el("p", { class: "meta offscreen" }),
      ...advice({ ...problem, hint: `${problem.summary} ${problem.hint}` }, context),
      el("p", { class: "more" }, el("button", { class: "check-setup", text: "Check my setup" }), docsLink(problem, context)),
    ),
  ];
}

function resolvedParts(problem, row) {
  const wasOpen = row.querySelector("details")?.open;
  const title = el("summary", { dir: "auto", text: summaryOf(problem) });
  const hint = el("p", { class: "hint", dir: "auto", text: problem.hint });
  const details = folded(title, hint, evidenceList(problem));
  details.open = Boolean(wasOpen && row.dataset.resolved === "true");
  return [icon("check"), el("div", {}, details, el("p", { class: "meta" }))];
}

function evidenceList(problem) {
  const rows = evidenceOf(problem).flatMap(([name, text]) => fact(name, text));
  return rows.length ? el("dl", { class: "facts" }, rows) : null;
}

function docsLink({ docs }, { root }) {
  if (!docs) return null;
  const about = el("span", { class: "offscreen", text: " (opens in a new tab)" });
  return el("a", { class: "docs", href: new URL(docs, root).href, target: "_blank", rel: "noopener" }, "How to mend it", about);
}

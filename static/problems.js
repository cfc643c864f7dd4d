/** The problems: calm, with what happened, why and what to do. */

import { $, copyButton, el, fact, icon, once, setText, timeNode } from "./dom.js";
import { plain, plainName } from "./words.js";

export function draw(problems) {
  const open = problems.filter(({ resolved }) => !resolved).length;
  $("problems-section").hidden = !problems.length;
  setText($("see-count"), open ? `${open} ${open === 1 ? "problem" : "problems"}` : "");
  // Rows stay as long as they say the same: a focus or an open detail survives.
  const known = new Map([...$("problems").children].map((row) => [row.dataset.code, row]));
  const rows = problems.map((problem) => rowOf(problem, known.get(problem.code)));
  const same = rows.length === known.size && rows.every((row, i) => row === $("problems").children[i]);
  if (!same) $("problems").replaceChildren(...rows);
}

function rowOf(problem, known) {
  const row = known ?? el("li", { class: "problem", "data-code": problem.code });
  row.dataset.resolved = Boolean(problem.resolved);
  once(row, problem, parts);
  return row;
}

function parts(problem, row) {
  const { summary, hint, count, last_at: last, resolved } = problem;
  const advice = hint ? el("p", { class: "hint", dir: "auto", text: hint }) : null;
  const wasOpen = row.querySelector("details")?.open;
  return [
    icon(resolved ? "check" : "warn"),
    el(
      "div",
      {},
      el("p", { class: "summary", dir: "auto", text: summary }),
      el("p", { class: "meta" }, resolved ? "Resolved · " : null, count > 1 ? `${count} times · last ` : null, timeNode(last)),
      resolved ? null : advice,
      details(problem, resolved ? advice : null, wasOpen),
    ),
    resolved ? null : copyButton(() => problemText(problem), { "aria-label": "Copy this problem" }),
  ];
}

/** As plain text, for a colleague or a search box. */
function problemText({ summary, hint, evidence }) {
  const rows = Object.entries(evidence ?? {}).map(([key, value]) => `${key}: ${plain(value)}`);
  return [summary, hint, ...rows].filter(Boolean).join("\n");
}

function details({ evidence, resolved }, advice, wasOpen) {
  const rows = Object.entries(evidence ?? {}).flatMap(([key, value]) => fact(plainName(key), plain(value)));
  if (!rows.length && !advice) return null;
  const title = el("summary", { text: resolved ? "What it was" : "Evidence" });
  return el("details", { open: wasOpen ? "" : null }, title, advice, el("dl", { class: "facts" }, rows));
}

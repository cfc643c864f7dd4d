/** The feature checklist: what arrives, what is set up, and two lines of code for what is not. */

import { codeBox } from "./code.js";
import { $, el, icon, keepFocus, once, timeNode } from "./dom.js";
import { featureWords, plainName } from "./words.js";

let shown = null;

/**
 * @param {object[]} features in the order to be shown
 * @param {function(string): Promise<object>} help what turns a feature on: `{name, values, snippet}`
 */
export function draw(features, help) {
  const list = $("features");
  keepFocus(list, () => once(list, features, (all) => all.map((feature) => rowOf(feature, help))));
  if (features.some(({ name, state }) => name === shown && state !== "off")) hide();
}

function rowOf(feature, help) {
  const { name, state, first_at: first } = feature;
  const row = el("li", { "data-feature": name, "data-state": state });
  if (state === "off") row.append(chip(name, help));
  else row.append(icon(state === "received" ? "check" : "ring"), plainName(name), timeNode(state === "received" ? first : null) ?? el("span", { class: "meta", text: featureWords(feature) }));
  return row;
}

function chip(name, help) {
  const about = el("span", { class: "offscreen", text: " is off: how to turn it on" });
  const button = el("button", { "aria-expanded": name === shown, "aria-controls": "feature-help" }, plainName(name), about);
  button.addEventListener("click", () => (name === shown ? hide() : show(name, help)));
  return button;
}

function hide() {
  shown = null;
  $("feature-help").hidden = true;
  mark();
}

async function show(name, help) {
  shown = name;
  mark();
  await redraw(help);
  $("feature-help").scrollIntoView({ block: "nearest" });
}

/** Also after another platform was chosen. */
export async function redraw(help) {
  const name = shown;
  if (!name) return;
  const { platform, values, snippet } = await help(name);
  if (name !== shown) return;
  $("feature-help").replaceChildren(...parts(name, platform, values, snippet));
  $("feature-help").hidden = false;
}

function parts(name, platform, values, snippet) {
  const { code, note } = snippet ?? {};
  const title = el("p", { class: "meta", text: snippet ? `${plainName(name)} in ${platform.name}` : `${platform.name} has no ${name}.` });
  return [
    title,
    note ? el("p", { class: "note", text: note }) : null,
    code ? codeBox(snippet, values, { id: "copy-feature", "aria-label": `Copy: ${name}` }) : null,
  ].filter(Boolean);
}

function mark() {
  for (const row of $("features").children) {
    row.querySelector("button")?.setAttribute("aria-expanded", row.dataset.feature === shown);
  }
}

/** "What we see": draws the state and keeps none of its own beyond what is drawn. */

import { $, el, fact, once, replay, setText, timeNode } from "./dom.js";
import { draw as drawFeatures } from "./features.js";
import { STAGES, liveness, problemsOf, sortedFeatures, sortedFrames, sortedSignals, stageOf, time } from "./state.js";
import * as words from "./words.js";

const narrow = matchMedia("(max-width: 899px)");

/** So many frames are enough to recognise one's own code. */
const FRAMES = 4;

/** The newest of what is to be drawn: modules that are fetched draw it, whenever they come. */
let shown = null;
let drawnStage = null;
let drawnBeat = null;

/** Draws all that a message may have changed. `context` is what problems and features need of the page. */
export function drawPanel(state, now, context) {
  shown = { state, context };
  const { snapshot } = state;
  drawStage(stageOf(state), snapshot);
  drawError(snapshot?.first_error, words.errorTitle(state));
  once($("sdk"), snapshot && facts(snapshot), (rows) => rows.flatMap(([name, value]) => fact(name, value)));
  $("sdk").hidden = !$("sdk").childElementCount;
  drawProblems();
  drawFeatureList(state, context);
  drawSignals(sortedSignals(snapshot));
  drawTimes(state, now);
}

/** Draws what changes by time alone; called every second. */
export function drawTimes(state, now) {
  setText($("line"), words.line(state, now, narrow.matches ? "below" : "on the left"));
  STAGES.forEach((stage, i) => {
    const [row, reached] = [$("stages").children[i], words.reachedAt(stage, state)];
    const when = row.querySelector(".when");
    row.dataset.state = words.rowState(stage, state);
    setText(when, words.when(stage, state, now));
    when.title = reached === null ? "" : words.exact(reached);
  });
  drawSeen(state, now);
  for (const node of $("see").querySelectorAll("time")) {
    setText(node, words.ago(time(node.dateTime), now + state.skew));
  }
}

function drawStage(stage, snapshot) {
  setText($("headline"), words.HEADLINES[stage]);
  // Not for the stage that the page opened with: nothing happened just now.
  if (drawnStage && stage !== drawnStage) replay($("lamp"), "settle");
  if (snapshot) drawnStage = stage;
}

function facts({ sdk, app, config, liveness: alive }) {
  const fromHere = sdk.name === "firstlight.page";
  return [
    ["SDK", words.sdkText(sdk) + (fromHere ? " · the buttons of this page, not your app" : "")],
    ["Release", app.release],
    ["Environment", app.environment],
    ["Runtime", app.runtime],
    ["Configured", words.configText(config)],
    ["Last seen", alive.last_seen_at ? " " : ""],
  ].filter(([, value]) => value);
}

function drawSeen(state, now) {
  const node = $("sdk").querySelector('[data-fact="Last seen"]');
  if (!node) return;
  const { last_seen_at: beat, interval } = state.snapshot.liveness;
  const every = interval ? ` · every ${words.duration(interval * 1_000, true)}` : "";
  setText(node, words.lastSeen(state, now) + every);
  node.dataset.liveness = liveness(state, now);
  node.title = words.exact(time(beat));
  if (drawnBeat && beat !== drawnBeat) replay(node, "tick");
  drawnBeat = beat;
}

function drawError(error, title) {
  $("line").classList.toggle("error-title", Boolean(error));
  $("view-error").hidden = !error?.url;
  if (error?.url) $("view-error").href = error.url;
  $("first-error").hidden = !error;
  once($("first-error"), error, (it) => (it ? errorParts(it, title) : []));
}

function errorParts(error, title) {
  const frames = sortedFrames(error);
  const rest = frames.length - FRAMES;
  const handled = { true: "handled", false: "not handled" }[error.handled];
  return [
    el("h3", { class: "offscreen", text: title }),
    el("p", { class: "meta", dir: "auto", text: [error.level, handled, error.culprit].filter(Boolean).join(" · ") }),
    el("ol", { class: "frames" }, frames.slice(0, FRAMES).map(frameRow)),
    rest > 0 ? el("p", { class: "meta", text: `and ${rest} more` }) : null,
  ];
}

function frameRow({ function: name, filename, lineno, in_app: own, context_line: code }) {
  const path = filename?.replace(/^https?:\/\/[^/]+/, "");
  return el(
    "li",
    { class: own ? "own" : null },
    el("b", { dir: "auto", text: name || "?" }),
    " ",
    el("bdi", { title: filename, text: [path, lineno].filter((part) => part ?? false).join(":") }),
    own && code ? el("code", { dir: "ltr", tabindex: "0", text: code.trim() }) : null,
  );
}

/** Most visitors never see a problem; its drawing is fetched with the first. */
async function drawProblems() {
  if ($("problems-section").hidden && !problemsOf(shown.state).length) return;
  const { draw } = await import("./problems.js");
  draw(problemsOf(shown.state), shown.context);
  drawTimes(shown.state, Date.now());
}

/** While nothing came, all of them are off: that is no news. */
function drawFeatureList(state, { help }) {
  const { snapshot } = state;
  const isNews = stageOf(state) !== STAGES[0] && snapshot.features.length > 0;
  $("features-section").hidden = !isNews;
  if (isNews) drawFeatures(sortedFeatures(snapshot), help);
}

function drawSignals(signals) {
  $("signals-section").hidden = !signals.length;
  setText($("signals-count"), String(signals.length));
  once($("signals"), signals, signalRows);
}

function signalRows(signals) {
  return signals.map(([name, signal]) => el("li", { "data-signal": name }, words.plainName(name), timeNode(signal.last_at)));
}

/** Narrow screens: the panel is a bar on top that opens. */
export function wirePanel() {
  const [panel, toggle] = [$("see"), $("see-toggle")];
  const open = (value) => {
    panel.classList.toggle("open", value);
    toggle.setAttribute("aria-expanded", value);
  };
  toggle.addEventListener("click", () => open(!panel.classList.contains("open")));
  panel.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || !narrow.matches) return;
    open(false);
    toggle.focus();
  });
  // The tab order follows the eye: a bar before the steps, a column after them.
  const place = () => panel.parentElement[narrow.matches ? "prepend" : "append"](panel);
  narrow.addEventListener("change", place);
  place();
}

/** The onboarding page: brings state, connection and drawing together. */

import { Connection } from "./connection.js";
import { $, el, setText } from "./dom.js";
import { drawPanel, drawTimes, wirePanel } from "./panel.js";
import { initialState, linkState, news, reduce, stageOf } from "./state.js";
import { Steps } from "./steps.js";
import { announcement, linkWords, tabTitle } from "./words.js";

const root = new URL("../", import.meta.url);
const id = /\/onboarding\/(\d+)/.exec(location.pathname)?.[1] ?? "";

let state = initialState(Date.now());
let steps = null;
/** Only where a cookie could not be had. */
let token = null;

function apply(event) {
  const before = state;
  state = reduce(state, event);
  drawLink();
  drawPage();
  const said = announcement(news(before, state), state);
  if (said) setText($("status"), said);
}

function drawPage() {
  const stage = stageOf(state);
  document.body.dataset.stage = stage;
  document.body.dataset.version = state.snapshot?.version ?? 0;
  document.title = tabTitle(state);
  drawFavicon(stage);
  steps?.showStage(stage);
  steps?.showSdk(state.snapshot?.sdk.name);
  drawPanel(state, Date.now());
}

/** The tab's icon is the same glyph as on the page: a background tab tells. */
function drawFavicon(stage) {
  const before = document.querySelector("link[rel=icon]");
  if (before?.dataset.icon === stage) return;
  const shape = $("glyph").querySelector(`[data-glyph=${stage}]`).cloneNode();
  const paint = stage === "awaiting" ? 'fill="none" stroke="#6d76f0" stroke-width="5"' : 'fill="#6d76f0"';
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" ${paint}>${shape.outerHTML}</svg>`;
  before?.remove(); // Some browsers only notice a new element.
  document.head.append(el("link", { rel: "icon", "data-icon": stage, href: `data:image/svg+xml,${encodeURIComponent(svg)}` }));
}

function drawLink() {
  const { text, retry, reason } = linkWords(state, Date.now());
  document.body.dataset.link = linkState(state);
  setText($("link-text"), text);
  $("link-now").hidden = !retry;
  $("notice").hidden = !reason;
  setText($("notice"), reason ?? "");
}

function call(path, method = "GET", bearer = token) {
  return fetch(new URL(path, root), { method, headers: bearer ? { Authorization: `Bearer ${bearer}` } : {} });
}

function connect() {
  const connection = new Connection(new URL(`live/${id}`, root), token, {
    message: (message, fresh) => apply({ message, fresh, at: Date.now() }),
    link: (link) => {
      apply({ link });
      if (link.state === "live" && steps && !state.project) loadProject();
    },
  });
  const retry = () => connection.retryNow();
  connection.start();
  $("link-now").addEventListener("click", retry);
  addEventListener("online", retry);
  addEventListener("offline", () => connection.verify());
  document.addEventListener("visibilitychange", () => document.hidden || retry());
}

async function loadProject() {
  const answer = await call(`projects/${id}`).catch(() => null);
  const project = answer?.ok ? await answer.json() : null;
  steps.showProject(project);
  apply({ project });
}

/** Rarely wanted, so fetched when it is. */
async function startOver() {
  const { confirmStartOver } = await import("./reset.js");
  confirmStartOver(() => call(`projects/${id}/reset`, "POST"), (message) => apply({ message, at: Date.now() }));
}

async function main() {
  wirePanel();
  $("start-over").addEventListener("click", startOver);
  const platforms = fetch(new URL("platforms.json", import.meta.url)).then((answer) => answer.json());
  if (location.hash.startsWith("#token=")) {
    const { tradeToken } = await import("./token.js");
    token = await tradeToken((given) => call(`live/${id}/cookie`, "POST", given));
  }
  connect();
  setInterval(() => (drawLink(), drawTimes(state, Date.now())), 1_000);
  steps = new Steps((await platforms).platforms, id);
  await loadProject();
}

main();

/** The onboarding page: brings state, connection and drawing together. */

import { Connection } from "./connection.js";
import { $, el, setText } from "./dom.js";
import { redraw as redrawHelp } from "./features.js";
import { drawPanel, drawTimes, wirePanel } from "./panel.js";
import { platformIndex } from "./platforms.js";
import { initialState, linkState, news, reduce, stageOf } from "./state.js";
import { Steps } from "./steps.js";
import { announcement, linkWords, tabTitle } from "./words.js";

const root = new URL("../", import.meta.url);
const id = /\/onboarding\/(\d+)/.exec(location.pathname)?.[1] ?? "";

let state = initialState(Date.now());
let steps = null;
/** Only where a cookie could not be had. */
let token = null;
let looked = false;

/** What problems and features need of the rest of the page. */
const context = {
  root,
  get values() {
    return steps?.target ?? null;
  },
  help: (name) => steps.feature(name),
};

function apply(event) {
  const before = state;
  state = reduce(state, event);
  drawLink();
  drawPage();
  const { raised, ...changed } = news(before, state);
  const said = announcement({ raised, ...changed }, state);
  if (said) setText($("status"), said);
  if (raised.some(({ code }) => code === "silence")) lookQuietly();
  for (const wait of [...awaited]) wait();
}

function drawPage() {
  const stage = stageOf(state);
  document.body.dataset.stage = stage;
  document.body.dataset.version = state.snapshot?.version ?? 0;
  document.title = tabTitle(state);
  drawFavicon(stage);
  steps?.showStage(stage);
  steps?.showSdk(state.snapshot?.sdk.name);
  drawPanel(state, Date.now(), context);
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

/** Whether this browser gets through to the address that SDKs send to; says something only if not. */
async function lookQuietly() {
  if (!steps?.target || linkState(state) !== "live") return;
  const code = await import("./blocked.js").catch(() => null); // Lost with the network, as the link says.
  await code?.lookQuietly({ target: steps.target, root, found });
}

async function found(cause, address) {
  if (cause === null && !state.own.length) return;
  const { problemsAfter } = await import("./blocked.js");
  const words = new URL(`problems/browser_blocked?platform=${steps.platform?.id ?? ""}`, root);
  const own = await problemsAfter(state.own, cause, address, words, Date.now() + state.skew);
  if (own !== state.own) apply({ own });
}

async function checkSetup() {
  if (!steps?.target) return;
  const { checkSetup: check } = await import("./check.js");
  await check({ target: steps.target, root, found, seen, link: () => [linkState(state), $("link-text").textContent] });
}

const awaited = new Set();

/** When the next check reaches this viewer, or null after so many ms. */
function seen(patience) {
  const before = state.snapshot?.checked_at;
  return new Promise((done) => {
    const end = (at) => (awaited.delete(look), clearTimeout(timer), done(at));
    const look = () => state.snapshot?.checked_at !== before && end(performance.now());
    const timer = setTimeout(end, patience, null);
    awaited.add(look);
  });
}

function call(path, method = "GET", bearer = token, body = undefined) {
  const headers = { ...(bearer && { Authorization: `Bearer ${bearer}` }), ...(body && { "Content-Type": "application/json" }) };
  return fetch(new URL(path, root), { method, headers, body });
}

function connect() {
  const connection = new Connection(new URL(`live/${id}`, root), token, {
    message: (message, fresh) => apply({ message, fresh, at: Date.now() }),
    link: (link) => {
      apply({ link });
      if (link.state === "live" && steps && !state.project) loadProject();
      if (link.state === "live") lookOnce();
    },
  });
  const retry = () => connection.retryNow();
  connection.start();
  $("link-now").addEventListener("click", retry);
  addEventListener("online", retry);
  addEventListener("offline", () => connection.verify());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    retry();
    if (state.own.some(({ resolved }) => !resolved)) lookQuietly();
  });
}

async function loadProject() {
  const answer = await call(`projects/${id}`).catch(() => null);
  const project = answer?.ok ? await answer.json() : null;
  await steps.showProject(project);
  $("check-setup").disabled = !steps.target;
  apply({ project });
  lookOnce();
}

/** Once when the page opens; again when somebody comes back, as long as something is in the way. */
function lookOnce() {
  if (looked || !steps?.target || linkState(state) !== "live") return;
  looked = true;
  lookQuietly();
}

/** So that words and code fit for everybody who looks at this project. It works without, too. */
function rememberPlatform({ id: platform }) {
  call(`projects/${id}`, "PATCH", token, JSON.stringify({ platform })).catch(() => {});
}

/** Rarely wanted, so fetched when it is. */
async function startOver() {
  const { confirmStartOver } = await import("./reset.js");
  confirmStartOver(() => call(`projects/${id}/reset`, "POST"), (message) => apply({ message, at: Date.now() }));
}

async function main() {
  wirePanel();
  $("start-over").addEventListener("click", startOver);
  $("see").addEventListener("click", ({ target }) => target.closest(".check-setup") && checkSetup());
  const platforms = platformIndex();
  if (location.hash.startsWith("#token=")) {
    const { tradeToken } = await import("./token.js");
    token = await tradeToken((given) => call(`live/${id}/cookie`, "POST", given));
  }
  connect();
  setInterval(() => (drawLink(), drawTimes(state, Date.now())), 1_000);
  steps = new Steps(await platforms, id, { chosen: rememberPlatform, shown: () => redrawHelp(context.help) });
  await loadProject();
}

main();

/** "Check my setup": runs the probes one by one, and tells each result and its fix. */

import { $, el, icon, setText } from "./dom.js";
import * as probe from "./probe.js";
import * as say from "./verdict.js";

const LARGE = 1024 * 1024;
let running = false;

/**
 * @param {object} page `target`, `root`, `link()` as state and words, `seen(patience)`: resolves when a
 *   viewer saw the next check, or to null; `found(cause, address)` takes what blocks this browser, or null
 */
export async function checkSetup(page) {
  if (running) return;
  running = true;
  const rows = {};
  const tell = (name, result) => {
    rows[name] = result;
    draw(rows);
  };
  $("check-section").hidden = false;
  setText($("check-result"), "Checking");
  draw(rows);
  $("check-section").scrollIntoView({ block: "nearest" });
  try {
    await run(page, tell);
  } finally {
    running = false;
  }
  setText($("check-result"), say.summary(Object.values(rows)));
}

async function run({ target, root, link, seen, found }, tell) {
  tell("link", say.link(...link()));
  const whyNot = async (facts, attempt) => (facts.failed ? say.causeOf(await probe.circumstances(target, root, attempt)) : null);

  const health = await probe.health(target);
  const cause = await whyNot(health, () => probe.health(target));
  tell("path", say.path(health, cause));
  if (health.failed || !say.path(health).ok) {
    for (const name of Object.keys(say.NAMES).slice(2)) tell(name, say.skipped);
    return found(cause, target.ingest);
  }
  tell("key", say.key(health));
  const endpoint = await probe.endpoint(target);
  const blocked = await whyNot(endpoint, () => probe.endpoint(target));
  tell("endpoint", say.endpoint(endpoint, blocked));
  found(blocked, `${target.ingest}/envelope/`);

  const start = performance.now();
  const arrival = seen(5_000);
  const small = await probe.post(target, 2);
  tell("small", say.body(small, 2));
  const large = await probe.post(target, LARGE);
  tell("large", say.body(large, LARGE));
  tell("cors", say.cors(health));
  tell("preflight", say.preflight(await probe.preflight(target), new URL(target.ingest).origin !== location.origin));
  tell("clock", say.clock(health));
  const at = small.status === 200 ? await arrival : undefined;
  tell("trip", at === undefined ? say.skipped : say.trip(at && at - start));
}

/** All names from the start, so that nothing jumps. */
function draw(rows) {
  const items = Object.entries(say.NAMES).map(([name, title]) => {
    const { ok, text = "", time = "", fix } = rows[name] ?? {};
    const mark = { true: "check", false: "warn" }[ok] ?? "ring";
    return el(
      "li",
      { "data-check": name, "data-result": { true: "passed", false: "failed", null: "skipped" }[ok] ?? null },
      icon(mark),
      el("div", {}, el("b", { text: title }), ` ${text}`, fix ? el("p", { class: "hint", text: fix }) : null),
      el("span", { class: "meta", text: time }),
    );
  });
  $("checks").replaceChildren(...items);
}

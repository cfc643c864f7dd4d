/** What the page says first: headline, line, tab and icon are of one mind. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { english } from "./english.mjs";
import { blocking, headline } from "./static/core/headline.js";
import { initialState, reduce } from "./static/core/state.js";

const OPENED = Date.parse("2026-11-22T13:00:00Z");
const at = (seconds) => new Date(OPENED + seconds * 1_000).toISOString();
const live = (state) => reduce(state, { link: { state: "live" } });
const state = (fields) =>
  live(
    reduce(initialState(OPENED), {
      message: { type: "snapshot", epoch: "a", version: 1, ...fields },
      fresh: true,
      at: OPENED,
    }),
  );
const said = (given, seconds = 12) => headline(given, english, OPENED + seconds * 1_000);
const wrongKey = { code: "unknown_key", severity: "error", resolved: false, count: 3, last_at: at(10), evidence: {} };
const quiet = { ...wrongKey, code: "quiet", severity: "warning" };

test("each stage has its headline, tab and icon, with the project's name", () => {
  const named = (stage) => said(reduce(state({ stage }), { project: { name: "shop" } }));
  const all = ["awaiting", "connected", "first_error_received"].map(named);
  assert.deepEqual(
    all.map(({ mood }) => mood),
    ["awaiting", "connected", "first_error_received"],
  );
  assert.deepEqual(
    all.map(({ tab }) => tab),
    ["○ Waiting · shop", "● Connected · shop", "★ First error · shop"],
  );
  assert.equal(all[0].text, "Waiting for your app");
  assert.equal(all[0].line, "Add the code below, then start your app.");
  assert.equal(all[0].detail, "Listening for 12 s. This page changes by itself.");
  assert.equal(said(initialState(OPENED)).tab, "○ Waiting");
});

test("an open problem that is an error takes all four", () => {
  for (const stage of ["awaiting", "connected"]) {
    const { mood, text, tab, line, detail } = said(state({ stage, problems: [quiet, wrongKey] }));
    assert.equal(mood, "problem");
    assert.equal(text, "Your app is using the wrong key");
    assert.equal(tab, "⚠ Your app is using the wrong key");
    assert.equal(line, "Copy the DSN below and restart your app.");
    assert.equal(detail, "Seen 3 times, last 2 s ago.");
  }
});

test("what is resolved, a warning, and what comes after the first error take none", () => {
  const over = { ...wrongKey, resolved: true };
  assert.equal(said(state({ stage: "awaiting", problems: [over, quiet] })).mood, "awaiting");
  const arrived = state({ stage: "first_error_received", first_error: { title: "E" }, problems: [wrongKey] });
  assert.equal(blocking(arrived), null);
  assert.equal(said(arrived).line, "E");
});

test("a page that was told to stop says so, whatever it knew", () => {
  const stopped = reduce(state({ stage: "awaiting", problems: [wrongKey] }), {
    link: { state: "stopped", reason: "missing" },
  });
  const { mood, tab, line } = said(stopped);
  assert.deepEqual(
    [mood, tab, line],
    [
      "stopped",
      "Not connected",
      "There is no such project here. It may have been deleted, or the address is mistyped.",
    ],
  );
});

test("a key alone is weak, and a test is no app", () => {
  const weak = said(state({ stage: "connected", connected_by: "key" }));
  assert.equal(weak.text, "Something is using your key");
  assert.match(weak.line, /make your app fail once/);
  assert.match(weak.detail, /without contents/);
  assert.match(said(state({ checked_by: { source: "page", signal: "error", at: at(1) } })).line, /connection works/);
});

test("a page that is out of touch does not claim to listen", () => {
  const lost = (stage) => said(reduce(state({ stage }), { link: { state: "waiting", again: true } }));
  assert.match(lost("awaiting").line, /lost touch/);
  assert.match(lost("connected").line, /lost touch/);
  const delayed = said({ ...state({ stage: "connected" }), delayed: true });
  assert.match(delayed.line, /can’t reach its store/);
  assert.equal(delayed.detail, "");
});

test("a long silence leads to its causes", () => {
  const silence = { ...quiet, code: "silence" };
  assert.match(said(state({ problems: [silence] }), 70).detail, /^Nothing has arrived in 1 min\..*below the steps/);
  assert.match(said(state({ problems: [{ ...silence, resolved: true }] })).detail, /^Listening/);
});

test("the lines say what to do, and who is connected", () => {
  const connected = state({
    stage: "connected",
    sdk: { name: "sentry.python.flask", version: "2.75.0" },
    app: { environment: "production", release: "shop@1.4.0" },
    liveness: { state: "seen", last_seen_at: at(0) },
  });
  assert.match(said(connected).line, /^Now let it fail once/);
  assert.equal(said(connected).detail, "sentry.python.flask 2.75.0 · production · shop@1.4.0 · 12 s ago");
  assert.equal(said(state({ stage: "first_error_received", first_error: {} })).line, "An error without a title");
});

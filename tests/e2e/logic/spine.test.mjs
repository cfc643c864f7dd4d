/** The steps: what is open, what is done and why, and where a problem is shown. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { english } from "./english.mjs";
import { current, placeOf, spine } from "./static/core/spine.js";
import { initialState, problemsOf, reduce } from "./static/core/state.js";

const OPENED = Date.parse("2026-11-22T13:00:00Z");
const at = (seconds) => new Date(OPENED + seconds * 1_000).toISOString();
const steps = (fields) => {
  const message = { type: "snapshot", epoch: "a", version: 1, ...fields };
  const state = reduce(initialState(OPENED), { message, fresh: true, at: OPENED });
  return spine(state, problemsOf(state), english, OPENED + 20_000);
};
const states = (fields) => steps(fields).map(({ state }) => state);
const open = (code, severity = "error") => ({ code, severity, resolved: false });
const connected = {
  stage: "connected",
  connected_at: at(2),
  connected_by: "session",
  sdk: { name: "sentry.python", version: "2.75.0" },
};
const failed = { ...connected, stage: "first_error_received", first_error: { title: "E", received_at: at(9) } };

test("what is done folds, the next thing is open", () => {
  assert.deepEqual(states({ stage: "awaiting" }), ["brief", "open", "ahead"]);
  assert.deepEqual(states(connected), ["done", "done", "open"]);
  assert.deepEqual(states(failed), ["done", "done", "done"]);
});

test("a finished step has its proof", () => {
  const [install, configure, error] = steps(connected);
  assert.equal(install.proof, "sentry.python 2.75.0");
  assert.match(configure.proof, /^by its first session · 2\.0 s after this page was opened · \d/);
  assert.equal(error.proof, "");
  assert.match(steps(failed)[2].proof, /7\.0 s after the SDK connected/);
});

test("a problem breaks its step, done or not, and that is the one to look at", () => {
  assert.deepEqual(states({ stage: "awaiting", problems: [open("unknown_key")] }), ["brief", "broken", "ahead"]);
  const broken = steps({ ...connected, problems: [open("unknown_key")] });
  assert.deepEqual([current(broken).name, current(broken).state], ["configure", "broken"]);
  assert.equal(broken[2].state, "ahead"); // one thing at a time
  // What was proved does not stand beside what denies it.
  assert.equal(broken[1].proof, "Your app is using the wrong key");
  assert.deepEqual(states({ ...connected, problems: [open("message_not_error", "warning")] })[2], "broken");
  assert.equal(current(steps(connected)).name, "error");
  assert.equal(current(steps(failed)), null);
});

test("what no step mends, notes, what is over, and all after the first error stand on their own", () => {
  assert.equal(placeOf(open("unknown_key"), "awaiting"), "configure");
  assert.equal(placeOf(open("dropped_by_sdk"), "connected"), "error");
  assert.equal(placeOf(open("silence", "warning"), "awaiting"), "rest");
  assert.equal(placeOf(open("missing_release", "note"), "connected"), "rest");
  assert.equal(placeOf({ ...open("unknown_key"), resolved: true }, "connected"), "rest");
  assert.equal(placeOf(open("unknown_key"), "first_error_received"), "rest");
});

/** What the page keeps of the messages that it gets. */

import assert from "node:assert/strict";
import { test } from "node:test";
import * as s from "./static/core/state.js";

const OPENED = Date.parse("2026-11-22T13:00:00Z");
const at = (seconds) => new Date(OPENED + seconds * 1_000).toISOString();
const snapshot = (fields) => ({ type: "snapshot", project: "1", epoch: "a", version: 1, stage: "awaiting", ...fields });
const told = (state, message, fresh = false, now = OPENED) => s.reduce(state, { message, fresh, at: now });
const start = () => told(s.initialState(OPENED), snapshot(), true);

test("a larger version replaces the state, an equal or smaller one does not", () => {
  const second = told(start(), snapshot({ version: 2, stage: "connected" }));
  assert.equal(s.stageOf(second), "connected");
  assert.equal(s.stageOf(told(second, snapshot({ version: 1 }))), "connected");
  assert.equal(s.stageOf(told(second, snapshot({ version: 2 }))), "connected");
});

test("another epoch replaces the state, whatever its version", () => {
  const reached = told(start(), snapshot({ version: 9, stage: "first_error_received" }));
  const reset = told(reached, snapshot({ epoch: "b", version: 1 }), false, OPENED + 5_000);
  assert.equal(s.stageOf(reset), "awaiting");
  assert.deepEqual(reset.since, { at: OPENED + 5_000, what: "reset" });
});

test("the first snapshot after a reconnect replaces the state, even by an older version", () => {
  const reached = told(start(), snapshot({ version: 9, stage: "first_error_received" }));
  const rolledBack = told(reached, snapshot({ version: 4, stage: "connected" }), true);
  assert.equal(rolledBack.snapshot.version, 4);
  assert.equal(s.stageOf(rolledBack), "connected");
});

test("any order of delivery ends in the same state", () => {
  const messages = [1, 2, 3, 4].map((version) =>
    snapshot({ version, stage: version < 3 ? "connected" : "first_error_received" }),
  );
  for (const order of permutations(messages)) {
    const end = order.reduce((state, message) => told(state, message), start());
    assert.equal(end.snapshot.version, 4);
  }
});

test("messages that are no snapshot leave the snapshot alone", () => {
  const before = start();
  for (const type of ["ping", "delayed", "goodbye", "something new"]) {
    assert.equal(told(before, { type }).snapshot, before.snapshot);
  }
});

test("delayed lasts until the next snapshot, also one that is not newer", () => {
  const live = s.reduce(start(), { link: { state: "live" } });
  const delayed = told(live, { type: "delayed" });
  assert.equal(s.linkState(delayed), "delayed");
  assert.equal(s.linkState(told(delayed, { type: "ping" })), "delayed");
  assert.equal(s.linkState(told(delayed, snapshot())), "live");
});

test("a lost link is not called delayed, and the way back is not either", () => {
  const delayed = told(s.reduce(start(), { link: { state: "live" } }), { type: "delayed" });
  const lost = s.reduce(delayed, { link: { state: "waiting" } });
  assert.equal(s.linkState(lost), "reconnecting");
  assert.equal(s.linkState(s.reduce(lost, { link: { state: "live" } })), "live");
});

test("the link's words", () => {
  const state = (link) => s.linkState({ link, delayed: false });
  assert.equal(state({ state: "connecting" }), "reconnecting");
  assert.equal(state({ state: "waiting", offline: true }), "offline");
  assert.equal(state({ state: "stopped" }), "stopped");
  assert.equal(state({ state: "live" }), "live");
});

test("liveness turns quiet by the clock alone, after two and a half intervals", () => {
  const beating = told(
    start(),
    snapshot({ version: 2, liveness: { state: "live", last_seen_at: at(0), interval: 30 } }),
  );
  assert.equal(s.liveness(beating, OPENED + 75_000), "live");
  assert.equal(s.liveness(beating, OPENED + 75_001), "quiet");
});

test("without an interval there is no quiet, without a signal there is nothing", () => {
  const seen = told(
    start(),
    snapshot({ version: 2, liveness: { state: "seen", last_seen_at: at(0), interval: null } }),
  );
  assert.equal(s.liveness(seen, OPENED + 1e9), "seen");
  assert.equal(s.liveness(start(), OPENED), "never");
  assert.equal(s.liveness(s.initialState(OPENED), OPENED), "never");
});

test("a wrong clock on this side does not make an application quiet", () => {
  const hour = 3_600_000; // we are an hour ahead of the server
  const message = snapshot({ version: 2, now: at(1), liveness: { state: "live", last_seen_at: at(0), interval: 30 } });
  const state = told(start(), message, false, OPENED + 1_000 + hour);
  assert.equal(s.liveness(state, OPENED + 2_000 + hour), "live");
});

test("what is absent or null in a snapshot does no harm", () => {
  const bare = told(start(), { type: "snapshot", epoch: "a", version: 2, stage: "awaiting", sdk: null });
  assert.deepEqual([bare.snapshot.sdk, bare.snapshot.problems, bare.snapshot.signals], [{}, [], {}]);
  assert.deepEqual(s.sortedFrames({ frames: null }), []);
});

test("the reducer changes nothing that it was given", () => {
  const before = Object.freeze(start());
  Object.freeze(before.snapshot);
  told(before, snapshot({ version: 2, stage: "connected" }));
  s.reduce(before, { link: { state: "live" } });
});

const problem = (code, severity, resolved = false) => ({ code, severity, resolved });
const codes = (problems) => problems.map(({ code }) => code);

test("open problems come first, in the server's order", () => {
  const problems = [problem("a", "error", true), problem("b", "error"), problem("c", "warning")];
  assert.deepEqual(codes(s.sortedProblems({ problems })), ["b", "c", "a"]);
});

test("what this browser sees itself stands before what may be a consequence of it", () => {
  const problems = [
    problem("a", "error"),
    problem("silence", "warning"),
    problem("n", "note"),
    problem("z", "error", true),
  ];
  const own = (resolved) => [problem("browser_blocked", "warning", resolved)];
  assert.deepEqual(codes(s.problemsOf({ snapshot: { problems }, own: own(false) })), [
    "a",
    "browser_blocked",
    "silence",
    "n",
    "z",
  ]);
  assert.deepEqual(codes(s.problemsOf({ snapshot: { problems }, own: own(true) })), [
    "a",
    "silence",
    "n",
    "z",
    "browser_blocked",
  ]);
  assert.deepEqual(codes(s.problemsOf({ snapshot: null, own: own(false) })), ["browser_blocked"]);
});

test("notes are kept apart, resolved or not", () => {
  const groups = s.grouped([
    problem("a", "error"),
    problem("b", "warning", true),
    problem("n", "note"),
    problem("m", "note", true),
  ]);
  assert.deepEqual(Object.values(groups).map(codes), [["a"], [], ["n", "m"], ["b"]]);
});

test("what strangers sent is no problem of the project's, and none of its notes", () => {
  const groups = s.grouped([problem("keyless_requests", "note"), problem("n", "note")]);
  assert.deepEqual(Object.values(groups).map(codes), [[], ["keyless_requests"], ["n"], []]);
});

test("features: what is there first, else the server's order", () => {
  const features = [
    ["a", "off"],
    ["b", "received"],
    ["c", "configured"],
    ["d", "off"],
    ["e", "received"],
  ];
  const sorted = s.sortedFeatures({ features: features.map(([name, state]) => ({ name, state })) });
  assert.deepEqual(
    sorted.map(({ name }) => name),
    ["b", "e", "c", "a", "d"],
  );
});

test("notes and the end of a silence are no news", () => {
  const with_ = (...problems) => ({ ...start(), snapshot: { stage: "connected", problems } });
  assert.deepEqual(codes(s.news(with_(), with_(problem("missing_release", "note"))).raised), []);
  const silent = with_(problem("silence", "warning"));
  assert.deepEqual(codes(s.news(with_(), silent).raised), ["silence"]);
  assert.deepEqual(codes(s.news(silent, silent).raised), []);
  assert.deepEqual(codes(s.news(silent, with_(problem("silence", "warning", true))).resolved), []);
});

test("frames of one's own code come first, in the given order", () => {
  const frames = [{ function: "lib" }, { function: "a", in_app: true }, { function: "b", in_app: true }];
  assert.deepEqual(
    s.sortedFrames({ frames }).map((frame) => frame.function),
    ["a", "b", "lib"],
  );
});

test("news: a stage once, a problem when raised, resolved or raised again, and never a heartbeat", () => {
  const problem = (resolved, count) => [{ code: "unknown_key", resolved, count, last_at: at(count) }];
  const states = [
    start(),
    told(start(), snapshot({ version: 2, stage: "connected", problems: problem(false, 1) })),
    told(start(), snapshot({ version: 3, stage: "connected", problems: problem(false, 2) })),
    told(start(), snapshot({ version: 4, stage: "connected", problems: problem(true, 2) })),
    told(start(), snapshot({ version: 5, stage: "connected", problems: problem(false, 3) })),
  ];
  const told_ = states.slice(1).map((state, i) => s.news(states[i], state));
  assert.deepEqual(
    told_.map(({ stage }) => stage),
    ["connected", null, null, null],
  );
  assert.deepEqual(
    told_.map(({ raised }) => raised.length),
    [1, 0, 0, 1],
  );
  assert.deepEqual(
    told_.map(({ resolved }) => resolved.length),
    [0, 0, 1, 0],
  );
});

function permutations(items) {
  if (items.length < 2) return [items];
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}

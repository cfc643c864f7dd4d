/** What the page says. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { english } from "./english.mjs";
import { initialState, reduce } from "./static/core/state.js";

const w = english;

const OPENED = Date.parse("2026-11-22T13:00:00Z");
const at = (seconds) => new Date(OPENED + seconds * 1_000).toISOString();
const state = (fields) =>
  reduce(initialState(OPENED), {
    message: { type: "snapshot", epoch: "a", version: 1, ...fields },
    fresh: true,
    at: OPENED,
  });

test("relative times", () => {
  const cases = [
    [-5, "just now"],
    [0, "just now"],
    [1.4, "just now"],
    [12.9, "12 s ago"],
    [59, "59 s ago"],
    [60, "1 min ago"],
    [3_599, "59 min ago"],
    [3_600, "1 h ago"],
    [86_399, "23 h ago"],
    [86_400, "yesterday"],
    [172_799, "yesterday"],
    [172_800, "2 days ago"],
  ];
  for (const [age, words] of cases) assert.equal(w.ago(OPENED, OPENED + age * 1_000), words, String(age));
});

test("sizes", () => {
  const cases = [
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1.0 KB"],
    [9_949, "9.9 KB"],
    [9_950, "10 KB"],
    [999_499, "999 KB"],
    [999_500, "1.0 MB"],
    [20_971_520, "21 MB"],
  ];
  for (const [bytes, words] of cases) assert.equal(w.size(bytes), words);
});

test("durations", () => {
  const cases = [
    [-1, "0.0 s"],
    [3.24, "3.2 s"],
    [48.7, "48 s"],
    [125, "2 min 5 s"],
    [120, "2 min"],
    [11_400, "3 h 10 min"],
    [86_400, "1 day"],
    [200_000, "2 days"],
  ];
  for (const [seconds, words] of cases) assert.equal(w.duration(seconds * 1_000), words);
});

test("a stage says since when, and how long it took", () => {
  const reached = state({
    stage: "first_error_received",
    connected_at: at(3.2),
    first_error: { title: "E", received_at: at(10.2) },
  });
  const clock = (seconds) => w.moment(OPENED + seconds * 1_000, OPENED).replace("just now · ", "");
  assert.equal(w.when("connected", reached, OPENED + 15_200), `3.2 s after this page was opened · ${clock(3.2)}`);
  assert.equal(
    w.when("first_error_received", reached, OPENED + 15_200),
    `7.0 s after the SDK connected · ${clock(10.2)}`,
  );
});

test("a page that is loaded again says what it said before", () => {
  const told = { stage: "connected", watched_at: at(-60), connected_at: at(3.2), now: at(9) };
  const waited = /^1 min 3 s after this page was opened · \d/;
  for (const openedAt of [OPENED - 60_000, OPENED + 5_000, OPENED + 3_600_000]) {
    const message = { type: "snapshot", epoch: "a", version: 1, ...told };
    const reloaded = reduce(initialState(openedAt), { message, fresh: true, at: openedAt });
    assert.match(w.when("connected", reloaded, openedAt + 1_000), waited);
  }
});

test("a time is told with its zone, and with its date where it was another day", () => {
  const [today, before] = [w.moment(OPENED, OPENED + 12_000), w.moment(OPENED - 172_800_000, OPENED)];
  assert.match(today, /^12 s ago · .*\d:00:00.*(UTC|GMT|[A-Z]{3,})/);
  assert.match(before, /^2 days ago · .*2026.*\d:00:00/);
});

test("an error as the very first signal says so", () => {
  const top = state({
    stage: "first_error_received",
    connected_at: at(1),
    first_error: { title: "E", received_at: at(1) },
  });
  assert.match(w.when("first_error_received", top, OPENED + 1_000), /^with the very first signal · \d/);
});

test("a silence is called quiet", () => {
  const beating = state({ stage: "connected", liveness: { state: "live", last_seen_at: at(0), interval: 30 } });
  assert.equal(w.lastSeen(beating, OPENED + 12_000), "12 s ago");
  assert.equal(w.lastSeen(beating, OPENED + 125_000), "quiet for 2 min 5 s");
});

test("the link indicator is always true", () => {
  const link = (link, delayed = false) => w.link({ link, delayed }, OPENED).text;
  assert.equal(link({ state: "live" }), "Live");
  assert.equal(link({ state: "live" }, true), "Updates are delayed");
  assert.equal(link({ state: "connecting" }), "Connecting");
  assert.equal(link({ state: "waiting", retryAt: OPENED + 2_100 }), "Reconnecting in 3 s");
  assert.equal(link({ state: "waiting", retryAt: OPENED + 2_100, offline: true }), "Offline");
  assert.equal(link({ state: "stopped" }), "Not connected");
  assert.match(w.link({ link: { state: "stopped", reason: "unauthorized" } }, OPENED).reason, /expired|link/);
});

test("how a platform's code was tried, and with what", () => {
  const checked = { version: "sentry 0.49.1", date: "2026-11-24", how: "read" };
  assert.equal(w.checked(checked), "Not run: compared with the documentation of sentry 0.49.1 on Nov 24, 2026.");
  assert.match(w.checked({ ...checked, how: "run" }), /^Run as written, with sentry 0\.49\.1, on Nov 24/);
  assert.equal(w.checked(null), "");
});

test("the live region speaks stages and problems", () => {
  const top = state({ stage: "first_error_received", first_error: { title: "ZeroDivisionError: division by zero" } });
  const said = w.announcement(
    {
      stage: "first_error_received",
      raised: [
        { code: "quiet", summary: "A." },
        { code: "unknown_key", summary: "C." },
      ],
      resolved: [{ summary: "B." }],
    },
    top,
  );
  assert.equal(
    said,
    "Your first error is here. ZeroDivisionError: division by zero. Problem: A. Problem: C. Copy the DSN below and restart your app. Resolved: B.",
  );
  assert.equal(w.announcement({ stage: null, raised: [], resolved: [] }, top), "");
});

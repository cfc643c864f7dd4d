/** What the facts of "Check my setup" mean. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { english, messages } from "./english.mjs";
import { causeOf, isBlocked, problemOf, ROWS, Verdict } from "./static/core/verdict.js";

const v = new Verdict(english);
const { causes } = messages.check;

const well = {
  passed: false,
  offline: false,
  behindTls: false,
  csp: false,
  mixed: false,
  away: false,
  ownAnswers: true,
  hostAnswers: true,
  opaqueAnswers: false,
};

test("why a browser gets no answer, the most certain cause first", () => {
  const cause = (facts) => causeOf({ ...well, ...facts });
  assert.equal(cause({ passed: true }), null);
  assert.equal(cause({}), "blocker");
  assert.equal(cause({ away: true }), "blocker");
  assert.equal(cause({ away: true, opaqueAnswers: true }), "cors");
  assert.equal(cause({ away: true, hostAnswers: false }), "unreachable");
  assert.equal(cause({ ownAnswers: false }), "down");
  assert.equal(cause({ mixed: true, away: true, hostAnswers: false }), "mixed");
  assert.equal(cause({ csp: true, mixed: true }), "csp");
  assert.equal(cause({ behindTls: true, csp: true, mixed: true, away: true }), "scheme");
  assert.equal(cause({ offline: true, ownAnswers: false }), "offline");
});

test("every cause has words, and only some are this browser's doing", () => {
  assert.deepEqual(Object.keys(causes).filter(isBlocked), ["scheme", "csp", "mixed", "cors", "unreachable", "blocker"]);
  for (const { name, fix } of Object.values(causes)) assert.ok(name && /[.?]$/.test(fix));
  assert.equal(isBlocked(null), false);
});

test("the problem of a blocked browser has all that the server's have", () => {
  const words = {
    code: "browser_blocked",
    severity: "warning",
    summary: "S.",
    hint: "H.",
    fix: null,
    docs: "problems#browser_blocked",
  };
  const problem = v.blockedProblem(words, "csp", "http://h:1/api/1/envelope/", 0);
  assert.deepEqual(problem.checks, [causes.csp.fix]);
  assert.deepEqual(v.blockedProblem(words, "blocker", "http://h:1/", 0).checks, []);
  assert.equal(problem.evidence.address, "h:1/api/1/envelope/");
  assert.deepEqual([problem.count, problem.resolved, problem.first_at], [1, false, "1970-01-01T00:00:00.000Z"]);
});

test("a DSN with http behind TLS is no blocker, and the setting that mends it can be copied", () => {
  assert.deepEqual(["scheme", "csp"].map(problemOf), ["http_dsn", "browser_blocked"]);
  const said = {
    code: "http_dsn",
    severity: "warning",
    summary: "S.",
    hint: "H.",
    fix: null,
    checks: [],
    evidence: {},
  };
  const problem = v.blockedProblem(said, "scheme", "http://h:1/prefix/api/1/heartbeat/", 0);
  assert.equal(problem.fix, "FIRSTLIGHT_PUBLIC_URL=https://h:1/prefix");
  assert.deepEqual(problem.checks, []);
});

test("the path", () => {
  assert.equal(v.path({ status: 200, ms: 3 }).ok, true);
  assert.equal(v.path({ status: 403, ms: 3 }).ok, true); // the key's business
  for (const status of [301, 404, 405, 500, 502]) assert.equal(v.path({ status, ms: 3 }).ok, false, String(status));
  assert.match(v.path({ failed: true, timedOut: true }, null).text, /8 s/);
  assert.equal(v.path({ failed: true }, "csp").fix, causes.csp.fix);
});

test("the key", () => {
  assert.equal(v.key({ status: 200 }).ok, true);
  assert.equal(v.key({ status: 403, json: { detail: "D." } }).fix, "D.");
  assert.equal(v.key({ status: 429 }).ok, false);
});

test("bodies", () => {
  assert.equal(v.body({ status: 200, json: { received: 2 }, ms: 1 }, 2).ok, true);
  assert.equal(v.body({ status: 200, json: { received: 1 }, ms: 1 }, 2).ok, false);
  assert.match(v.body({ status: 413 }, 2).fix, /client_max_body_size/);
  assert.equal(v.body({ failed: true }, 2, "blocker").fix, causes.blocker.fix);
});

test("the clock, by the middle of the request", () => {
  const clock = (skew) =>
    v.clock({ json: { now: "2026-11-22T13:00:00Z" }, sentAt: Date.parse("2026-11-22T13:00:00Z") + skew - 50, ms: 100 });
  assert.equal(clock(0).text, "agrees with the server");
  assert.equal(clock(12_000).text, "is 12 s apart");
  assert.equal(clock(90_000).text, "of this computer is 1 min 30 s ahead");
  assert.equal(clock(-90_000).text, "of this computer is 1 min 30 s behind");
  assert.equal(v.clock({ json: null }), v.skipped);
});

test("CORS, the round trip, the link and the end", () => {
  assert.equal(v.cors({ headers: new Headers({ "access-control-allow-origin": "*" }) }).ok, true);
  assert.equal(v.cors({ headers: new Headers() }).ok, false);
  assert.equal(v.preflight({ status: 200 }, true).text, "passes");
  assert.equal(v.preflight({ failed: true }, true).ok, false);
  assert.equal(v.trip(23).time, "23 ms");
  assert.equal(v.trip(null).ok, false);
  assert.equal(v.link("live").ok, true);
  assert.equal(v.link("offline", "Offline").text, "offline");
  assert.equal(v.summary([{ ok: true }, { ok: null }]), "All is well between this browser and the server.");
  assert.equal(v.summary([{ ok: false }, { ok: false }]), "2 things to fix.");
});

test("every row has a name, and every name its row", () => {
  const named = Object.keys(messages.check).filter((key) => messages.check[key].name);
  assert.deepEqual([...ROWS].sort(), named.sort());
});

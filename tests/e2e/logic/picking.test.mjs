/** Which platforms are listed: in groups, those chosen last first; or what fits what was typed, the best first. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { listed, remembered, search } from "./static/core/picking.js";

const PLATFORMS = [
  { id: "python", name: "Python", group: "python", keywords: ["py", "bun"] },
  { id: "flask", name: "Flask", group: "python", keywords: ["python"] },
  { id: "cloud", name: "My Bun", group: "node" },
  { id: "bun", name: "Bun", group: "node" },
  { id: "dotnet", name: ".NET", keywords: ["c#"] },
  { id: "other", name: "Any SDK", group: "any" },
];
const names = (groups) => groups.map(({ name, platforms }) => `${name}: ${platforms.map(({ id }) => id).join(" ")}`);
const found = (query) => search(PLATFORMS, query).map(({ id }) => id);

test("a search is of the beginnings of words", () => {
  assert.deepEqual(found("py"), ["python", "flask"]);
  assert.deepEqual(found("C#"), ["dotnet"]);
  assert.deepEqual(found("lask"), []);
  assert.equal(found("").length, PLATFORMS.length);
});

test("a name that begins so comes first, then a name that has it, then what goes by it", () => {
  assert.deepEqual(found("bun"), ["bun", "cloud", "python"]);
});

test("with nothing typed all are there once, in their groups, a stranger's among the other languages", () => {
  const all = ["python: python flask", "node: cloud bun", "more: dotnet", "any: other"];
  assert.deepEqual(names(listed(PLATFORMS, " ")), all);
  const recent = ["recent: bun python", "python: flask", "node: cloud", "more: dotnet", "any: other"];
  assert.deepEqual(names(listed(PLATFORMS, "", ["bun", "gone", "python"])), recent);
});

test("with something typed there is one group, or none", () => {
  assert.deepEqual(names(listed(PLATFORMS, "flask", ["bun"])), ["found: flask"]);
  assert.deepEqual(listed(PLATFORMS, "cobol"), []);
});

test("the last three are remembered, each once", () => {
  assert.deepEqual(remembered(["a", "b", "c"], "b"), ["b", "a", "c"]);
  assert.deepEqual(remembered(["a", "b", "c"], "d"), ["d", "a", "b"]);
});

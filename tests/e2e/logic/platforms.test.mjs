/** The platforms' files, as the page reads them: fetched once, coloured as their families say. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { highlight } from "./static/core/highlight.js";
import { Platforms } from "./static/core/platforms.js";

const FILES = {
  index: {
    platforms: [{ id: "perl", name: "Perl", language: "perl", match: [] }],
    languages: { perl: "#", zig: "//" },
  },
  perl: {
    features: "perl",
    steps: {
      install: { language: "shell", code: ["cpanm Sentry::Raven"] },
      configure: {
        code: ["1;"],
        also: [
          { language: "zig", code: ["// a", "{{options}}"] },
          { language: "cobol", code: ["* a"] },
        ],
      },
      error: { language: "perl", code: ["die;"] },
    },
  },
  "features-perl": { tracing: { options: ["b"] }, replay: { never: "None." } },
};

function served(files = FILES) {
  const asked = [];
  const platforms = new Platforms(new URL("http://host/static/platforms/"), async ({ pathname }) => {
    const name = pathname.replace("/static/platforms/", "").replace(".json", "");
    asked.push(name);
    return files[name] ? new Response(JSON.stringify(files[name])) : new Response("", { status: 404 });
  });
  return { platforms, asked };
}

test("a language goes by what starts its comments, one that many use by its name", async () => {
  const { platforms } = served();
  assert.equal((await platforms.index())[0].language, "#");
  const { install, configure, error } = (await platforms.file("perl")).steps;
  assert.deepEqual([install.language, configure.language, error.language], ["shell", undefined, "#"]);
  assert.deepEqual(
    configure.also.map(({ language }) => language),
    ["//", "cobol"],
  );
  assert.equal((await platforms.feature("perl", "tracing")).language, "//");
  assert.deepEqual((await platforms.feature("perl", "tracing")).code, ["// a", "b"]);
});

test("each is coloured, and what nobody knows is left as it is", () => {
  const kinds = (code, language) => highlight(code, language).map(([kind]) => kind);
  assert.deepEqual(kinds("# a", "#"), ["comment"]);
  assert.deepEqual(kinds("// a", "//"), ["comment"]);
  assert.deepEqual(kinds("* a", "cobol"), [""]);
  assert.deepEqual(kinds("# a", "//"), [""]);
});

test("a feature that a platform does not have is none", async () => {
  const { platforms } = served();
  assert.equal((await platforms.feature("perl", "replay")).note, "None.");
  assert.deepEqual(await platforms.possible("perl"), ["tracing"]);
  assert.equal(await platforms.feature("perl", "logs"), null);
});

test("each file is asked for once, and again only if it failed", async () => {
  const { platforms, asked } = served();
  await Promise.all([platforms.index(), platforms.file("perl"), platforms.feature("perl", "tracing")]);
  assert.deepEqual(asked.sort(), ["features-perl", "index", "perl"]);
  await assert.rejects(platforms.file("cobol"), /404 for cobol/);
  await assert.rejects(platforms.file("cobol"), /404 for cobol/);
  assert.equal(asked.filter((name) => name === "cobol").length, 2);
});

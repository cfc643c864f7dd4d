/** Features in a platform's code: each once, where it belongs, in an order of its own. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { compose, isPossible, tableNames, turnOn } from "./static/core/compose.js";

const TABLE = {
  replay: { integrations: ["replay()"], options: ["replays: 1,"] },
  tracing: { integrations: ["tracing()"], options: ["traces: 1,"] },
  profiling: {
    integrations: ["tracing()", "profiling()"],
    options: ["traces: 1,", "profiles: 1,"],
    install: ["add p"],
  },
  logs: { calls: ["log()"], file: "any.js", note: "On by default." },
  crons: { never: "There are none." },
};
const FILE = {
  features: "web",
  steps: {
    install: { code: ["add sdk"] },
    configure: {
      file: "main.js",
      code: [
        "import sdk",
        "{{imports}}",
        "",
        "init({",
        "  dsn,",
        "  {{options}}",
        "});",
        "",
        "{{start}}",
        "",
        "run();",
      ],
      also: [
        { file: "server.js", features: "server", code: ["init({", "  {{options}}", "});"] },
        { file: "other.js", code: ["same"] },
      ],
    },
    error: { code: ["throw 1;"] },
  },
  own: { heartbeat: { install: ["curl b"], imports: ["import beat"], start: ["beat();"] } },
};
const TABLES = { web: TABLE, server: { tracing: { options: ["serverTraces: 1,"] } } };
const configured = (chosen) => compose(FILE, TABLES, chosen).steps.configure;

test("with nothing chosen, no slot and no second blank line are left", () => {
  const { code, also } = configured([]);
  assert.deepEqual(code, ["import sdk", "", "init({", "  dsn,", "});", "", "run();"]);
  assert.deepEqual(also[0].code, ["init({", "});"]);
});

test("what two features share stands once, and integrations are one list", () => {
  const { code } = configured(["profiling", "replay", "tracing"]);
  assert.deepEqual(code.slice(4, 8), [
    "  replays: 1,",
    "  traces: 1,",
    "  profiles: 1,",
    "  integrations: [replay(), tracing(), profiling()],",
  ]);
});

test("the order in which they were chosen makes no difference", () => {
  assert.deepEqual(configured(["tracing", "replay", "heartbeat"]), configured(["heartbeat", "replay", "tracing"]));
});

test("a part can have features of another family, and a platform its own", () => {
  const { code, also } = configured(["heartbeat", "tracing"]);
  assert.ok(code.includes("import beat") && code.includes("beat();"));
  assert.deepEqual(also[0].code, ["init({", "  serverTraces: 1,", "});"]);
  assert.deepEqual(tableNames(FILE), ["web", "server"]);
});

test("what has to be installed for a feature is installed with the SDK", () => {
  assert.deepEqual(compose(FILE, TABLES, ["profiling", "heartbeat"]).steps.install.code, [
    "add sdk",
    "add p",
    "curl b",
  ]);
  assert.deepEqual(compose(FILE, TABLES, []).steps.install.code, ["add sdk"]);
});

test("turning one on shows what it changes, with what is on already", () => {
  const shown = turnOn(FILE, TABLES, "profiling", ["replay"]);
  assert.deepEqual(shown.code, ["add p"]);
  assert.deepEqual(
    shown.also.map(({ file }) => file),
    ["main.js"],
  );
  assert.ok(shown.also[0].code.includes("  integrations: [replay(), tracing(), profiling()],"));
});

test("one that needs no option shows what to call, and where", () => {
  const { code, file, note, also } = turnOn(FILE, TABLES, "logs", []);
  assert.deepEqual([code, file, note, also], [["log()"], "any.js", "On by default.", []]);
});

test("one that cannot be says why", () => {
  assert.equal(turnOn(FILE, TABLES, "crons", []).note, "There are none.");
  assert.equal(turnOn(FILE, TABLES, "unheard of", []), null);
  assert.deepEqual(
    ["tracing", "crons", "unheard of"].map((name) => isPossible(TABLE[name])),
    [true, false, false],
  );
});

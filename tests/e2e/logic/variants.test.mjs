/** The steps for another package manager, build tool or module system. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { axesOf, turned } from "./static/core/variants.js";

const fileOf = (install, configure = {}, error = {}) => ({ steps: { install, configure, error } });
const shown = (file, chosen, step = "install") => turned(axesOf(file), file.steps[step], chosen);
const names = (file) => axesOf(file).map(({ name }) => name);

const NPM = fileOf({ code: ["npm install @sentry/react-native", "npx pod-install", "curl -O x"] });
const PIP = fileOf({ code: ['pip install --upgrade "sentry-sdk[flask]"'] });
const GRADLE = fileOf({ file: "build.gradle", code: ['implementation("io.sentry:sentry:8.+")'], language: "java" });
const NODE = fileOf(
  { code: ["npm install @sentry/node"] },
  {
    file: "instrument.mjs",
    note: "Load it: node --import ./instrument.mjs app.mjs",
    code: ['import * as Sentry from "@sentry/node";', 'import { start } from "./firstlight-heartbeat.mjs";'],
    also: [{ file: "app.mjs", code: ['import express from "express";', "await app.listen({ port: 3000 });"] }],
  },
  { file: "app.mjs", code: ["  await next();"] },
);

test("packages are added by the tool that one has", () => {
  assert.deepEqual(shown(NPM, { npm: "pnpm" }).code, [
    "pnpm add @sentry/react-native",
    "pnpm dlx pod-install",
    "curl -O x",
  ]);
  assert.equal(shown(NPM, { npm: "bun" }).code[1], "bunx pod-install");
  assert.deepEqual(shown(PIP, { pip: "uv" }).code, ['uv add "sentry-sdk[flask]"']);
  assert.deepEqual(shown(PIP, { pip: "poetry", npm: "yarn" }).code, ['poetry add "sentry-sdk[flask]"']);
});

test("into a folder only pip installs", () => {
  assert.deepEqual(names(fileOf({ code: ["pip install --upgrade --target . sentry-sdk"] })), []);
});

test("Maven has the same version in its own words", () => {
  const { file, language, code } = shown(GRADLE, { build: "Maven" });
  assert.deepEqual([file, language], ["pom.xml", "html"]);
  assert.ok(code.includes("  <artifactId>sentry</artifactId>") && code.includes("  <version>[8,9)</version>"));
  assert.deepEqual(
    names(fileOf({ file: "app/build.gradle.kts", code: ['implementation("io.sentry:sentry:8.+")'] })),
    [],
  );
});

test("without modules there is nothing to await at the top, and our own file stays one", () => {
  const { file, note, code, also } = shown(NODE, { modules: "CommonJS" }, "configure");
  assert.deepEqual([file, note], ["instrument.cjs", "Load it: node --import ./instrument.cjs app.cjs"]);
  assert.deepEqual(code, [
    'const Sentry = require("@sentry/node");',
    'const { start } = require("./firstlight-heartbeat.mjs");',
  ]);
  assert.deepEqual(also[0].code, ['const express = require("express");', "app.listen({ port: 3000 });"]);
  const error = shown(NODE, { modules: "CommonJS" }, "error");
  assert.deepEqual([error.file, error.code], ["app.cjs", ["  await next();"]]);
});

test("what a bundler reads stays as it is", () => {
  const { install, configure, error } = NODE.steps;
  assert.deepEqual(names(fileOf(install, { ...configure, also: [{ file: "root.tsx", code: ["import a;"] }] }, error)), [
    "npm",
  ]);
});

test("with the first of each, or with what nobody knows, all stays as it is written", () => {
  for (const chosen of [{}, { npm: "npm", modules: "ESM" }, { npm: "cargo", modules: "AMD" }]) {
    assert.deepEqual(shown(NODE, chosen, "configure"), NODE.steps.configure);
    assert.deepEqual(shown(NODE, chosen).code, NODE.steps.install.code);
  }
});

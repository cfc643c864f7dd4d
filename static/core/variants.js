/** The same steps for another package manager, build tool or module system. Pure. */

/** @import { PlatformFile, Snippet, Step } from "./types.js" */

/**
 * What one can choose between. The first of each is how the platforms' files are written.
 *
 * @typedef {object} Axis
 * @property {string} name
 * @property {string[]} options
 * @property {(boxes: Snippet[]) => boolean} fits whether there is a choice for a platform with this code
 * @property {(box: Snippet, option: string) => Snippet} turn
 */

/** @type {Record<string, [string, string]>} what adds a package, and what runs one */
const NPM = { pnpm: ["pnpm add", "pnpm dlx"], yarn: ["yarn add", "yarn dlx"], bun: ["bun add", "bunx"] };
const PIP = /^pip install --upgrade (?=["\w])/;
const GRADLE = /^implementation\("([^:"]+):([^:"]+):(\d+)\.\+"\)$/;

/** @type {Axis[]} */
const AXES = [
  {
    name: "npm",
    options: ["npm", "pnpm", "yarn", "bun"],
    fits: (boxes) => has(boxes, /^npm install /),
    turn: (box, option) =>
      edited(box, (line) => line.replace(/^npm install/, NPM[option][0]).replace(/^npx/, NPM[option][1])),
  },
  {
    name: "pip",
    options: ["pip", "uv", "poetry"],
    fits: (boxes) => has(boxes, PIP),
    turn: (box, option) => edited(box, (line) => line.replace(PIP, `${option} add `)),
  },
  {
    name: "build",
    options: ["Gradle", "Maven"],
    fits: (boxes) => boxes.some(isGradle),
    turn: (box) => (isGradle(box) ? { ...edited(box, maven), file: "pom.xml", language: "html" } : box),
  },
  {
    name: "modules",
    options: ["ESM", "CommonJS"],
    // Not where a bundler reads some of the files: it wants modules.
    fits: (boxes) => has(boxes, /^import /) && boxes.every(({ file }) => !file || file.endsWith(".mjs")),
    turn: (box) => (box.file ? { ...edited(box, commonJs), file: common(box.file), note: common(box.note) } : box),
  },
];

/**
 * What there is to choose for a platform.
 *
 * @param {PlatformFile} file
 * @returns {Axis[]}
 */
export const axesOf = ({ steps }) => AXES.filter(({ fits }) => fits(Object.values(steps).flatMap(boxesOf)));

/**
 * A step as somebody wants it.
 *
 * @param {Axis[]} axes of its platform
 * @param {Step} step
 * @param {Record<string, string>} chosen options by the names of their axes; an unknown one is as good as none
 * @returns {Step}
 */
export function turned(axes, step, chosen) {
  const wanted = axes.filter(({ name, options }) => options.indexOf(chosen[name]) > 0);
  const [first, ...also] = boxesOf(step).map((box) =>
    wanted.reduce((done, { name, turn }) => turn(done, chosen[name]), box),
  );
  return { ...first, also };
}

/** @param {Step} step @returns {Snippet[]} */
const boxesOf = ({ also = [], ...first }) => [first, ...also];

/** @param {Snippet[]} boxes @param {RegExp} line */
const has = (boxes, line) => boxes.some(({ code }) => linesOf(code).some((each) => line.test(each)));

/** @param {Snippet} box */
const isGradle = (box) => box.file === "build.gradle" && has([box], GRADLE);

/** @param {string | string[] | undefined} code */
const linesOf = (code) => (Array.isArray(code) ? code : code ? code.split("\n") : []);

/** @param {Snippet} box @param {(line: string) => string | string[]} edit @returns {Snippet} */
const edited = (box, edit) => (box.code ? { ...box, code: linesOf(box.code).flatMap(edit) } : box);

/** @param {string} line */
function maven(line) {
  const [, group, artifact, major] = GRADLE.exec(line) ?? [];
  if (!group) return [line];
  const version = `[${major},${Number(major) + 1})`; // `8.+` as Maven says it
  return [
    "<dependency>",
    `  <groupId>${group}</groupId>`,
    `  <artifactId>${artifact}</artifactId>`,
    `  <version>${version}</version>`,
    "</dependency>",
  ];
}

/** Where nothing can be awaited at the top of a file. @param {string} line */
const commonJs = (line) =>
  line
    .replace(/^import (?:\* as )?(.+) from ("[^"]+");$/, "const $1 = require($2);")
    .replace(/^export const (\w+) = /, "exports.$1 = ")
    .replace(/^await /, "");

/**
 * Our own file stays a module: it can be required as it is. What is loaded first is still so with `--import`: SDKs refuse
 * `--require`, which Node does twice.
 *
 * @param {string | undefined} text
 */
const common = (text) => text?.replace(/\b(\w+)\.mjs\b/g, "$1.cjs");

/** Features in a platform's code: each option, import and integration stands once, where it belongs. Pure. */

/** @import { PlatformFile, Snippet, Step, Table, Turned, WrittenFile } from "./types.js" */

/** A line of code where lines of features go; they are indented as it is. */
const SLOT = /^(\s*)\{\{(imports|options|start)\}\}$/;

/** The line that reports the start: only for who wants it, as most SDKs send something soon enough. */
export const HEARTBEAT = "heartbeat";

/**
 * The files of features that a platform's parts are made with.
 *
 * @param {WrittenFile} file
 * @returns {string[]}
 */
export const tableNames = (file) => [
  ...new Set(partsOf(file.steps.configure).flatMap(({ features }) => [file.features, features ?? file.features])),
];

/**
 * A platform's steps with some features on. Their order does not matter.
 *
 * @param {WrittenFile} file as it is written, with slots
 * @param {Record<string, Table>} tables by name, see `tableNames`
 * @param {string[]} chosen
 * @returns {PlatformFile}
 */
export function compose(file, tables, chosen) {
  const { install, configure, error } = file.steps;
  const installed = (/** @type {string} */ features) => lines(tableOf(file, tables, { features }), chosen, "install");
  const more = once(tableNames(file).flatMap(installed));
  const code = more.length ? [...(install.code ?? []), ...more] : install.code;
  const [first, ...also] = partsOf(configure).map((part) => filled(part, tableOf(file, tables, part), chosen));
  return { steps: { install: { ...install, code }, configure: { ...first, also }, error }, features: file.features };
}

/**
 * What turns one feature on: the parts that it changes, with all that is on already, so that each can be pasted over
 * what is there; then what to call. Null where the platform does not know it.
 *
 * @param {WrittenFile} file
 * @param {Record<string, Table>} tables
 * @param {string} name
 * @param {string[]} on
 * @returns {Step | null}
 */
export function turnOn(file, tables, name, on) {
  const feature = tableOf(file, tables, {})[name];
  if (!feature) return null;
  const { note, never, install, calls, file: where } = feature;
  const changed = partsOf(file.steps.configure).filter((part) => changes(part, tableOf(file, tables, part), name));
  /** @type {Snippet[]} */
  const boxes = [
    ...(install ? [{ code: install, language: "shell" }] : []),
    ...changed.map((part) => filled(part, tableOf(file, tables, part), [...on, name])),
    ...(calls ? [{ code: calls, file: where }] : []),
  ];
  const [first = {}, ...also] = boxes;
  return { ...first, note: never ?? note, also };
}

/**
 * Whether a platform can have a feature at all. Where it can't, `never` says why.
 *
 * @param {Turned | undefined} feature
 */
export const isPossible = (feature) => feature !== undefined && feature.never === undefined;

/** @param {Step} step @returns {Snippet[]} */
const partsOf = ({ also = [], ...first }) => [first, ...also];

/**
 * What a platform has in its own way comes before what its family has.
 *
 * @param {WrittenFile} file
 * @param {Record<string, Table>} tables
 * @param {Snippet} part
 * @returns {Table}
 */
const tableOf = (file, tables, part) => ({ ...tables[part.features ?? file.features], ...file.own });

/** @param {Snippet} part @param {Table} table @param {string} name */
const changes = ({ code }, table, name) =>
  listOf(code).some((line) => lines(table, [name], SLOT.exec(line)?.[2] ?? "").length > 0);

/** @param {Snippet} part @param {Table} table @param {string[]} chosen @returns {Snippet} */
function filled(part, table, chosen) {
  /** @type {string[]} */
  const code = [];
  for (const line of listOf(part.code)) {
    const [, indent = "", slot] = SLOT.exec(line) ?? [];
    const more = slot ? lines(table, chosen, slot) : [line];
    // A slot where nothing goes takes the blank line before it along.
    if (slot && !more.length && code.at(-1) === "") code.pop();
    code.push(...more.map((each) => (slot && each ? indent + each : each)));
  }
  return { ...part, code };
}

/**
 * In the order of the table, whatever the order in which they were chosen.
 *
 * @param {Table} table @param {string[]} chosen @param {string} slot
 */
function lines(table, chosen, slot) {
  const turned = Object.keys(table).filter((name) => chosen.includes(name));
  const found = once(turned.flatMap((name) => listOf(/** @type {any} */ (table[name])[slot])));
  const integrations = slot === "options" ? once(turned.flatMap((name) => table[name].integrations ?? [])) : [];
  return integrations.length ? [...found, `integrations: [${integrations.join(", ")}],`] : found;
}

/** @param {string[]} all */
const once = (all) => [...new Set(all)];

/** @param {string | string[] | undefined} code */
const listOf = (code) => (Array.isArray(code) ? code : code ? [code] : []);

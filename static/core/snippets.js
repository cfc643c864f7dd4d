/** Snippets: which platform, and filling in the key. Pure; makes no elements. */

/** @import { Platform, StepName, Target } from "./types.js" */

/** @type {StepName[]} */
export const STEPS = ["install", "configure", "error"];

/** Nothing but what a host and a path are made of: what is copied from here goes into a shell. */
const DSN = /^(https?:\/\/)(\w+)@([\w.:[\]-]+)((?:\/[\w.~-]+)*)\/(\d+)\/?$/;

/**
 * What a DSN stands for; null where it is none.
 *
 * @param {string | null | undefined} dsn
 * @returns {Target | null}
 */
export function parseDsn(dsn) {
  const parts = DSN.exec(dsn ?? "");
  if (!parts) return null;
  const [whole, scheme, key, host, prefix, project] = parts;
  const server = `${scheme}${host}${prefix}`;
  return { dsn: whole, key, project, server, ingest: `${server}/api/${project}` };
}

/**
 * Without values, as long as the DSN is not known, it says what belongs there.
 *
 * @param {string} code
 * @param {Target | null} [values]
 */
export function fill(code, values) {
  /** @type {Record<string, string>} */
  const known = { ...values };
  return code.replace(/\{\{(\w+)\}\}/g, (_, name) => known[name] ?? `YOUR_${name.toUpperCase()}`);
}

/**
 * Code is a text, or a list of lines as the platforms' files have it.
 *
 * @param {string | string[] | undefined} code
 */
export const textOf = (code) => (Array.isArray(code) ? `${code.join("\n")}\n` : (code ?? ""));

/**
 * What the user chose, else what the project was made for, else whose SDK it is.
 *
 * @param {Platform[]} platforms
 * @param {{ chosen?: string | null, declared?: string | null, sdk?: string | null }} wishes
 * @returns {Platform}
 */
export function choosePlatform(platforms, { chosen, declared, sdk }) {
  const byId = (/** @type {string | null | undefined} */ id) => platforms.find((platform) => platform.id === id);
  return byId(chosen) ?? byId(declared) ?? bySdk(platforms, sdk) ?? platforms[0];
}

/**
 * The longest prefix of the SDK's name wins.
 *
 * @param {Platform[]} platforms
 * @param {string | null | undefined} sdk
 */
function bySdk(platforms, sdk) {
  const pairs = platforms.flatMap((platform) => platform.match.map((prefix) => ({ prefix, platform })));
  const fitting = pairs.filter(({ prefix }) => sdk?.startsWith(prefix));
  return fitting.sort((a, b) => b.prefix.length - a.prefix.length)[0]?.platform;
}

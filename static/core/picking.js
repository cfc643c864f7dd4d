/** Which platforms a picker lists, and in which order. Pure; makes no elements. */

/** @import { Platform } from "./types.js" */

/** Of families, in the order of the list; what is in none of them comes before the last. */
const GROUPS = ["python", "web", "node", "mobile", "java", "php", "ruby", "more", "any"];
const RECENT = 3;

/** @typedef {{ name: string, platforms: Platform[] }} Group */

/**
 * With nothing typed, all of them in their groups, those last chosen first; else what fits, the best first.
 *
 * @param {Platform[]} platforms
 * @param {string} query
 * @param {string[]} [recent] ids, the last one first
 * @returns {Group[]} none is empty
 */
export function listed(platforms, query, recent = []) {
  const found = search(platforms, query);
  if (wordsOf(query).length) return found.length ? [{ name: "found", platforms: found }] : [];
  const again = recent.flatMap((id) => platforms.find((platform) => platform.id === id) ?? []);
  const rest = found.filter((platform) => !again.includes(platform));
  const groups = GROUPS.map((name) => ({ name, platforms: rest.filter((each) => groupOf(each) === name) }));
  return [{ name: "recent", platforms: again }, ...groups].filter(({ platforms }) => platforms.length);
}

/** @param {Platform} platform */
const groupOf = ({ group = "" }) => (GROUPS.includes(group) ? group : "more");

/**
 * What was chosen last, with one more.
 *
 * @param {string[]} recent
 * @param {string} id
 */
export const remembered = (recent, id) => [id, ...recent.filter((other) => other !== id)].slice(0, RECENT);

/**
 * Those where every word typed begins a word of the name or a keyword: first whose name begins so, then whose name has
 * it, then those that go by it.
 *
 * @param {Platform[]} platforms
 * @param {string} query
 */
export function search(platforms, query) {
  const typed = wordsOf(query);
  const ranks = platforms.map((platform) => ({ platform, rank: rankOf(platform, typed) }));
  const fitting = ranks.filter(({ rank }) => rank !== null);
  return fitting.sort((a, b) => Number(a.rank) - Number(b.rank)).map(({ platform }) => platform);
}

/** @param {Platform} platform @param {string[]} typed @returns {number | null} null where it does not fit */
function rankOf({ name, keywords = [] }, typed) {
  const named = wordsOf(name);
  const known = [...named, ...wordsOf(keywords.join(" "))];
  const begins = (/** @type {string[]} */ words) =>
    typed.every((word) => words.some((other) => other.startsWith(word)));
  if (!begins(known)) return null;
  if (typed.length && named[0]?.startsWith(typed[0])) return 0;
  return begins(named) ? 1 : 2;
}

/** @param {string} text */
const wordsOf = (text) =>
  text
    .toLowerCase()
    .split(/[^\p{L}\p{N}#+]+/u)
    .filter(Boolean);

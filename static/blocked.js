/** The one problem that only this browser can see: that it is kept from the address that SDKs send to. */

import { circumstances, endpoint, health } from "./probe.js";

/** Null where the network was lost, which is what the link indicator says. */
const loadVerdict = () => import("./verdict.js").catch(() => null);

/** Looks without a word, and tells `found(cause, address)`; the cause is null where nothing is in the way. */
export async function lookQuietly({ target, root, found }) {
  const ways = { heartbeat: () => health(target), envelope: () => endpoint(target) };
  for (const [name, attempt] of Object.entries(ways)) {
    if (!(await attempt()).failed) continue;
    const verdict = await loadVerdict();
    const cause = verdict?.causeOf(await circumstances(target, root, attempt));
    if (cause) return found(cause, `${target.ingest}/${name}/`);
  }
  return found(null);
}

/**
 * The problems of this browser after something was found, or nothing.
 *
 * @param {object[]} before
 * @param {URL} words where the server says `browser_blocked`
 * @param {number} at the server's time, in ms
 */
export async function problemsAfter(before, cause, address, words, at) {
  const [known] = before;
  const verdict = await loadVerdict();
  if (!verdict) return before;
  if (verdict.isBlocked(cause)) {
    const answer = await fetch(words).catch(() => null);
    if (!answer?.ok) return before;
    const problem = verdict.blockedProblem(await answer.json(), cause, address, at);
    return [known && !known.resolved ? { ...problem, first_at: known.first_at, count: known.count + 1 } : problem];
  }
  // A server that is away says nothing about this browser.
  if (!known || known.resolved || cause !== null) return before;
  return [{ ...known, resolved: true, last_at: new Date(at).toISOString() }];
}

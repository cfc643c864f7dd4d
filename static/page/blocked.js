/** The one problem that only this browser can see: that it is kept from the address that SDKs send to. */

import { causeOf, isBlocked, problemOf, Verdict } from "../core/verdict.js";
import { circumstances, endpoint, health } from "./probe.js";

/** @import { Cause, Problem, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/**
 * @typedef {object} Found What keeps this browser from an address.
 * @property {Cause | null} cause null where nothing does
 * @property {string} address
 */

/**
 * Looks without a word.
 *
 * @param {Target} target
 * @param {URL} root of the server
 * @returns {Promise<Found>}
 */
export async function lookQuietly(target, root) {
  for (const [name, attempt] of /** @type {const} */ ([
    ["heartbeat", health],
    ["envelope", endpoint],
  ])) {
    if (!(await attempt(target)).failed) continue;
    const cause = causeOf(await circumstances(target, root, () => attempt(target)));
    if (cause) return { cause, address: `${target.ingest}/${name}/` };
  }
  return { cause: null, address: target.ingest };
}

/**
 * The problems of this browser after something was found, or nothing.
 *
 * @param {Problem[]} before
 * @param {Found} found
 * @param {Words} words
 * @param {(code: string) => URL} said where the server says a problem without a project
 * @param {number} at the server's time, in ms
 */
export async function problemsAfter(before, { cause, address }, words, said, at) {
  const [known] = before;
  if (isBlocked(cause)) {
    const answer = await fetch(said(problemOf(cause))).catch(() => null);
    if (!answer?.ok) return before;
    const problem = new Verdict(words).blockedProblem(await answer.json(), cause, address, at);
    const isStill = known && !known.resolved && known.code === problem.code;
    return [isStill ? { ...problem, first_at: known.first_at, count: known.count + 1 } : problem];
  }
  // A server that is away says nothing about this browser.
  if (!known || known.resolved || cause !== null) return before;
  return [{ ...known, resolved: true, resolved_at: new Date(at).toISOString() }];
}

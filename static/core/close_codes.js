// Made from server/core/model/close_codes.py; a test compares.

/** @typedef {{ name: string, reconnect: boolean }} Ending */

/**
 * Why a live connection was closed, and whether coming back helps.
 * @type {Readonly<Record<number, Ending>>}
 */
export const CLOSE_CODES = Object.freeze({
  1001: { name: "away", reconnect: true },
  1008: { name: "refused", reconnect: false },
  1009: { name: "refused", reconnect: false },
  1012: { name: "restart", reconnect: true },
  1013: { name: "overloaded", reconnect: true },
  4401: { name: "unauthorized", reconnect: false },
  4403: { name: "forbidden", reconnect: false },
  4404: { name: "missing", reconnect: false },
});

/** Whether to come back after this code, known or not. @param {number} code */
export function reconnects(code) {
  return CLOSE_CODES[code]?.reconnect ?? !(code >= 4400 && code < 4500);
}

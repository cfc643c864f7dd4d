/**
 * A link may bring a viewer token in its fragment, which never reaches a log.
 * It is traded for an HttpOnly cookie and dropped from the address bar.
 *
 * @param {(token: string) => Promise<Response>} trade
 * @returns {Promise<string | null>} the token, where there was no cookie for it
 */
export async function tradeToken(trade) {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  const answer = await trade(token).catch(() => null);
  // Without an answer the address bar stays the only place that has it.
  if (answer && answer.status < 500) history.replaceState(null, "", location.pathname);
  return answer?.ok ? null : token;
}

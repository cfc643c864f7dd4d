/** The words of one language: one file. */

import { Words } from "./words.js";

/**
 * @param {URL} folder ends with a slash
 * @param {string} language that of the document; the server chose it among the files that it has
 * @param {(url: URL) => Promise<Response>} fetch
 * @param {readonly string[]} [wished] the browser's languages: who reads `en-GB` gets dates as they are written there
 */
export async function loadWords(folder, language, fetch, wished = navigator.languages) {
  const answer = await fetch(new URL(`${language}.json`, folder));
  if (!answer.ok) throw new Error(`${answer.status} for the words of ${language}`);
  const [spoken] = language.split("-");
  return new Words(
    await answer.json(),
    language,
    wished.find((tag) => tag.split("-")[0] === spoken),
  );
}

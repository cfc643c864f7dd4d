/** The platforms' files: one small index, and what one platform needs, fetched when it is chosen. */

const folder = new URL("platforms/", import.meta.url);
const files = new Map();

/** All platforms as `{id, name, language, keywords, match}`, for the picker and for guessing. */
export const platformIndex = async () => (await json("index")).platforms;

/** The steps of one platform, `{steps, features}`. */
export const platformFile = (id) => json(id);

/** What turns a feature on, `{code, note, language, file}`; null where the platform does not have it. */
export async function featureOf(id, name) {
  const { features } = await platformFile(id);
  const all = typeof features === "string" ? await json(`features-${features}`) : features;
  return all?.[name] ?? null;
}

/** Asked for once; what failed is asked for again the next time. */
function json(name) {
  const known = files.get(name) ?? fetch(new URL(`${name}.json`, folder)).then((answer) => (answer.ok ? answer.json() : Promise.reject(answer)));
  files.set(name, known);
  known.catch(() => files.delete(name));
  return known;
}

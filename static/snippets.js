/** Snippets: which platform, filling in the key, colouring. Pure; makes no elements. */

export const STEPS = ["install", "configure", "error"];

/** The key and the ingest URL that a DSN stands for; null where it is none. */
export function parseDsn(dsn) {
  const parts = /^(https?:\/\/)(\w+)@([^/]+)(\/.*)?\/(\d+)\/?$/.exec(dsn ?? "");
  if (!parts) return null;
  const [, scheme, key, host, prefix = "", project] = parts;
  const server = `${scheme}${host}${prefix}`;
  return { dsn, key, project, server, ingest: `${server}/api/${project}` };
}

/** Without values, as long as the DSN is not known, it says what belongs there. */
export function fill(code, values) {
  return code.replace(/\{\{(\w+)\}\}/g, (_, name) => values?.[name] ?? `YOUR_${name.toUpperCase()}`);
}

/** What the user chose, else what the project was made for, else whose SDK it is. */
export function choosePlatform(platforms, { chosen, declared, sdk }) {
  const byId = (id) => platforms.find((platform) => platform.id === id);
  return byId(chosen) ?? byId(declared) ?? bySdk(platforms, sdk) ?? platforms[0];
}

/** The longest prefix of the SDK's name wins. */
function bySdk(platforms, sdk) {
  const pairs = platforms.flatMap((platform) => platform.match.map((prefix) => [prefix, platform]));
  const fitting = pairs.filter(([prefix]) => sdk?.startsWith(prefix));
  return fitting.sort(([a], [b]) => b.length - a.length)[0]?.[1];
}

/** One list for all of them: a word of another language is rarely a name in this one. */
const KEYWORDS = "and as async await begin bool case catch class const def defer defp do else end except export false finally fn for from fun func function if impl import in is let match mut namespace new nil not null or override package private pub public raise require require_once require_relative rescue return self some static struct super switch this throw throws true try use using val var void when while with yield False None True".replaceAll(" ", "|");

const SLASHES = grammar("(?<![:\\w])\\/\\/.*|\\/\\*.*?\\*\\/", KEYWORDS);
const HASHES = grammar("(?<=^|\\s)#(?![\\w\"]).*", KEYWORDS);

const GRAMMARS = {
  python: HASHES, ruby: HASHES, elixir: HASHES,
  ...{ javascript: SLASHES, go: SLASHES, php: SLASHES, java: SLASHES, kotlin: SLASHES },
  ...{ swift: SLASHES, csharp: SLASHES, rust: SLASHES, dart: SLASHES },
  shell: grammar("(?<=^|\\s)#.*", "curl|pip|npm|npx|export|go|bundle|composer|cargo|dotnet|flutter|mkdir"),
  properties: grammar("^#.*", "$^"),
  html: grammar("<!--.*?-->", "script|template|button"),
};

function grammar(comment, keywords) {
  const kinds = [
    `(?<comment>${comment})`,
    `(?<string>"(?:\\\\.|[^"\\\\\\n])*"|'(?:\\\\.|[^'\\\\\\n])*')`,
    `(?<keyword>(?<![-.\\w])(?:${keywords})\\b(?!\\s*[:=]|[-(]))`,
  ];
  return new RegExp(kinds.join("|"), "gm");
}

/** `[kind, text]` pairs that join to the code. What was filled in is of the kind `filled`. */
export function highlight(code, language, values) {
  const known = values && [values.dsn, values.ingest, values.key, values.server].map((text) => text.replace(/[^\w\s]/g, "\\$&"));
  const filled = new RegExp(`(${known?.join("|") ?? "YOUR_\\w+"})`);
  return tokens(code, GRAMMARS[language] ?? /$^/g).flatMap(([kind, text]) =>
    text.split(filled).map((part, i) => [i % 2 ? "filled" : kind, part]).filter(([, part]) => part),
  );
}

function tokens(code, pattern) {
  const found = [];
  let end = 0;
  for (const { 0: text, index, groups } of code.matchAll(pattern)) {
    found.push(["", code.slice(end, index)], [Object.keys(groups).find((kind) => groups[kind]), text]);
    end = index + text.length;
  }
  return [...found, ["", code.slice(end)]];
}

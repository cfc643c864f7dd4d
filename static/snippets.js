/** Snippets: which platform, filling in the key, colouring. Pure; makes no elements. */

export const STEPS = ["install", "configure", "error"];

/** The key and the ingest URL that a DSN stands for; null where it is none. */
export function parseDsn(dsn) {
  const parts = /^(https?:\/\/)(\w+)@([^/]+)(\/.*)?\/(\d+)\/?$/.exec(dsn ?? "");
  if (!parts) return null;
  const [, scheme, key, host, prefix = "", project] = parts;
  return { dsn, key, project, ingest: `${scheme}${host}${prefix}/api/${project}` };
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

const GRAMMARS = {
  python: grammar("#", "and|as|class|def|else|except|for|from|if|import|in|is|not|or|raise|return|try|with|None|True|False"),
  javascript: grammar("\\/\\/", "async|await|class|const|else|for|from|function|if|import|let|new|return|throw|try|catch"),
  shell: grammar("(?<=^|\\s)#", "curl|pip|npm|export"),
};

function grammar(comment, keywords) {
  const kinds = [
    `(?<comment>${comment}.*)`,
    `(?<string>"(?:\\\\.|[^"\\\\\\n])*"|'(?:\\\\.|[^'\\\\\\n])*')`,
    `(?<keyword>\\b(?:${keywords})\\b(?!\\s*[:=]))`,
  ];
  return new RegExp(kinds.join("|"), "gm");
}

/** `[kind, text]` pairs that join to the code. What was filled in is of the kind `filled`. */
export function highlight(code, language, values) {
  const known = values ? [values.dsn, values.ingest, values.key] : ["YOUR_\\w+"];
  const filled = new RegExp(`(${known.join("|")})`); // The dots of a URL match themselves, too.
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

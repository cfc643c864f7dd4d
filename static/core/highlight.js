/** Colours for code. Pure; makes no elements. */

/** @import { Target } from "./types.js" */

/** One list for all of them: a word of another language is rarely a name in this one. */
const KEYWORDS = [
  "and|as|async|await|begin|bool|case|catch|class|const|def|defer|defp|do|else|end|except|export|false",
  "finally|fn|for|from|fun|func|function|if|impl|import|in|is|let|match|mut|namespace|new|nil|not|null|or",
  "override|package|private|pub|public|raise|require|require_once|require_relative|rescue|return|self|some",
  "static|struct|super|switch|this|throw|throws|true|try|use|using|val|var|void|when|while|with|yield|False",
  "None|True",
].join("|");

const SLASHES = grammar("(?<![:\\w])\\/\\/.*|\\/\\*.*?\\*\\/", KEYWORDS);
const HASHES = grammar('(?<=^|\\s)#(?![\\w"]).*', KEYWORDS);

/**
 * Languages of platforms go by what starts a comment in them, as their families' files say; those that many platforms
 * use go by their names.
 *
 * @type {Record<string, RegExp>}
 */
const GRAMMARS = {
  "#": HASHES,
  "//": SLASHES,
  shell: grammar("(?<=^|\\s)#.*", "curl|pip|npm|npx|export|go|bundle|composer|cargo|dotnet|flutter|mkdir"),
  properties: grammar("^#.*", "$^"),
  html: grammar("<!--.*?-->", "script|template|button"),
};

/** @param {string} comment @param {string} keywords both as patterns */
function grammar(comment, keywords) {
  const kinds = [
    `(?<comment>${comment})`,
    `(?<string>"(?:\\\\.|[^"\\\\\\n])*"|'(?:\\\\.|[^'\\\\\\n])*')`,
    `(?<keyword>(?<![-.\\w])(?:${keywords})\\b(?!\\s*[:=]|[-(]))`,
  ];
  return new RegExp(kinds.join("|"), "gm");
}

/**
 * `[kind, text]` pairs that join to the code. What was filled in is of the kind `filled`.
 *
 * @param {string} code
 * @param {string | undefined} language as `Platforms` names it
 * @param {Target | null} [values]
 * @returns {[string, string][]}
 */
export function highlight(code, language, values) {
  const known = values && [values.dsn, values.ingest, values.key, values.server].map(literally);
  const filled = new RegExp(`(${known?.join("|") ?? "YOUR_\\w+"})`);
  return tokens(code, GRAMMARS[language ?? ""] ?? /$^/g).flatMap(([kind, text]) =>
    text
      .split(filled)
      .map((part, i) => /** @type {[string, string]} */ ([i % 2 ? "filled" : kind, part]))
      .filter(([, part]) => part),
  );
}

/** @param {string} text */
const literally = (text) => text.replace(/[^\w\s]/g, "\\$&");

/** @param {string} code @param {RegExp} pattern @returns {[string, string][]} */
function tokens(code, pattern) {
  /** @type {[string, string][]} */
  const found = [];
  let end = 0;
  for (const { 0: text, index, groups = {} } of code.matchAll(pattern)) {
    const kind = Object.keys(groups).find((name) => groups[name]) ?? "";
    found.push(["", code.slice(end, index)], [kind, text]);
    end = index + text.length;
  }
  return [...found, ["", code.slice(end)]];
}

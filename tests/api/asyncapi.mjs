// Reads an AsyncAPI document from standard input with the parser of @asyncapi/cli, and says what is wrong with it.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const wrong = diagnostics.filter(({ severity }) => severity < 2); // errors and warnings; what is left is advice
for (const { code, message, path } of wrong) console.error(`${path.join(".")}: ${message} (${code})`);
if (!document || wrong.length) process.exit(1);
console.log("AsyncAPI: valid");

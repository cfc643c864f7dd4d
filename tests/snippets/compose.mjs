/** What the page shows of platforms: asked on stdin with a JSON list of `[platform, features]`; told as another. */

import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { Platforms } from "./core/platforms.js";

const INDEX = JSON.stringify({ platforms: [], languages: {} }); // what the server makes; here languages keep their names

async function read(url) {
  if (url.pathname.endsWith("/index.json")) return new Response(INDEX);
  return new Response(await readFile(url));
}

const platforms = new Platforms(pathToFileURL(process.argv[2]), read);
const asked = JSON.parse(await text(process.stdin));
const told = await Promise.all(asked.map(([platform, features]) => platforms.file(platform, features)));
process.stdout.write(JSON.stringify(told));

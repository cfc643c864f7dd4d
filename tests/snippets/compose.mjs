/** What the page shows of platforms: asked on stdin with a JSON list of `[platform, features, variants]`; told as another. */

import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { Platforms } from "./core/platforms.js";
import { axesOf, turned } from "./core/variants.js";

const INDEX = JSON.stringify({ platforms: [], languages: {} }); // what the server makes; here languages keep their names

async function read(url) {
  if (url.pathname.endsWith("/index.json")) return new Response(INDEX);
  return new Response(await readFile(url));
}

const platforms = new Platforms(pathToFileURL(process.argv[2]), read);
const asked = JSON.parse(await text(process.stdin));
async function shown([platform, features, variants]) {
  const { steps } = await platforms.file(platform, features);
  const axes = axesOf({ steps });
  return { steps: Object.fromEntries(Object.entries(steps).map(([name, step]) => [name, turned(axes, step, variants)])) };
}

process.stdout.write(JSON.stringify(await Promise.all(asked.map(shown))));

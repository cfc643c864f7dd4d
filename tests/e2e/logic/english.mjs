/** The words of the pages, as they are loaded from their file. */

import { readFileSync } from "node:fs";
import { Words } from "./static/core/words.js";

export const messages = JSON.parse(readFileSync(new URL("static/messages/en.json", import.meta.url), "utf8"));
export const english = new Words(messages, "en");

/** The first error: where it happened, with the user's own line of code on top. */

import { joined } from "../core/format.js";
import { sortedFrames } from "../core/state.js";
import { el, once } from "./dom.js";

/** @import { FirstError as Given, Frame } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/** So many frames are enough to recognise one's own code. */
const FRAMES = 4;

export class FirstError {
  #root;
  #words;

  /** @param {HTMLElement} root @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
  }

  /** @param {Given | null | undefined} error @param {string} title */
  draw(error, title) {
    this.#root.hidden = !error;
    once(this.#root, error, () => (error ? this.#parts(error, title) : []));
  }

  /** @param {Given} error @param {string} title */
  #parts(error, title) {
    const { more } = this.#words.messages.error;
    const frames = sortedFrames(error);
    const rest = frames.length - FRAMES;
    return [
      el("h3", { class: "offscreen", text: title }),
      el("p", { class: "meta", dir: "auto", text: joined(error.level, this.#handled(error), error.culprit) }),
      el("ol", { class: "frames" }, frames.slice(0, FRAMES).map(frameRow)),
      rest > 0 ? el("p", { class: "meta", text: this.#words.say(more, { count: rest }) }) : null,
    ];
  }

  /** @param {Given} error */
  #handled({ handled }) {
    if (typeof handled !== "boolean") return "";
    return handled ? this.#words.messages.error.handled : this.#words.messages.error.not_handled;
  }
}

/** @param {Frame} frame */
function frameRow({ function: name, filename, lineno, in_app: own, context_line: code }) {
  const path = filename?.replace(/^https?:\/\/[^/]+/, "");
  return el(
    "li",
    { class: own ? "own" : null },
    el("b", { dir: "auto", text: name || "?" }),
    " ",
    el("bdi", { title: filename, text: [path, lineno].filter((part) => part ?? false).join(":") }),
    own && code ? el("code", { dir: "ltr", tabindex: "0", text: code.trim() }) : null,
  );
}

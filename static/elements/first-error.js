/** The first error: where it happened, with the user's own line of code on top, and where to see all of it. */

import { joined } from "../core/format.js";
import { sortedFrames } from "../core/state.js";
import { el, once, part } from "./dom.js";

/** @import { FirstError as Given, Frame, Snapshot } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/** So many frames are enough to recognise one's own code. */
const FRAMES = 4;

export class FirstError {
  #root;
  #words;

  /** @param {HTMLElement} root see `first-error.html` @param {Words} words */
  constructor(root, words) {
    this.#root = root;
    this.#words = words;
  }

  /** @param {Snapshot | null} snapshot */
  draw(snapshot) {
    const error = snapshot?.first_error;
    this.#root.hidden = !error;
    if (!error) return;
    const { environment, release } = snapshot.app;
    // That it is an error says the headline.
    const level = error.level === "error" ? "" : error.level;
    const about = joined(level, this.#handled(error), error.culprit, environment, release);
    this.#root.hidden = !about && !error.frames?.length && !error.url;
    once(part(this.#root, "first-error-body"), { error, about }, () => this.#parts(error, about));
    const link = part(this.#root, "view-error", HTMLAnchorElement);
    link.hidden = !error.url;
    if (error.url) link.href = error.url;
  }

  /** @param {Given} error @param {string} about */
  #parts(error, about) {
    const { more } = this.#words.messages.error;
    const frames = sortedFrames(error);
    const rest = frames.length - FRAMES;
    return [
      el("p", { class: "meta", dir: "auto", text: about }),
      frames.length ? el("ol", { class: "frames" }, frames.slice(0, FRAMES).map(frameRow)) : null,
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
    el("bdi", { title: filename, text: [path, lineno].filter((part) => part ?? false).join(":") }),
    " ",
    el("b", { dir: "auto", text: name || "?" }),
    own && code ? codeLine(code.trim(), lineno) : null,
  );
}

/** @param {string} code @param {number | null | undefined} lineno */
function codeLine(code, lineno) {
  const number = el("span", { class: "lineno", "aria-hidden": "true", text: lineno ?? "" });
  return el("code", { dir: "ltr", tabindex: "0" }, number, code);
}

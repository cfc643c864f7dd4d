/** A button that copies a text and says so. */

import { el } from "./dom.js";

/** @import { Words } from "../core/words.js" */
/** @import { Attributes } from "./dom.js" */

/** How long it says that it did. */
const SAID = 1_600;

/**
 * @param {Words} words
 * @param {() => string} read what to copy, asked for when it is
 * @param {Attributes} attributes
 */
export function copyButton(words, read, attributes) {
  const { copy, copied, by_hand: byHand } = words.messages.copy;
  const { class: own = "", ...others } = attributes;
  const button = el("button", { type: "button", class: `quiet copy ${own}`.trim(), ...others, text: copy });
  // The button has a name of its own, so what it says now has to be spoken beside it.
  const spoken = el("span", { class: "offscreen", role: "status" });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  button.addEventListener("click", async () => {
    if (!spoken.isConnected) button.after(spoken);
    button.textContent = spoken.textContent = (await write(read())) ? copied : byHand;
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = copy;
      spoken.textContent = "";
    }, SAID);
  });
  return button;
}

/** @param {string} text */
export async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return writeBySelection(text); // Plain HTTP in a LAN has no clipboard API.
  }
}

/** @param {string} text */
function writeBySelection(text) {
  const before = document.activeElement;
  const area = el("textarea", { class: "offscreen", text });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}

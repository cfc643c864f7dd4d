/** "Copy prompt for your coding agent": the steps that are shown, how to prove them, and what each exit status means. */

import { write } from "../elements/copy.js";
import { setText } from "../elements/dom.js";

/** @import { Words } from "../core/words.js" */

/**
 * @param {HTMLElement} button
 * @param {HTMLElement} result where it says what came of it
 * @param {Words} words
 * @param {() => URL} address of the prompt, asked for when it is copied
 */
export function copyPrompt(button, result, words, address) {
  const { copied, by_hand: byHand } = words.messages.copy;
  const { failed } = words.messages.prompt;
  button.addEventListener("click", async () => {
    const answer = await fetch(address()).catch(() => null);
    if (!answer?.ok) return setText(result, failed);
    setText(result, (await write(await answer.text())) ? copied : byHand);
  });
}

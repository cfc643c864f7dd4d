/** The choice to confirm the start: one line more in the code, and what it is that one would import. */

import { part, setText } from "./dom.js";

export class Beat {
  #root;
  #box;

  /** @param {HTMLElement} root see `beat.html` @param {(on: boolean) => void} tell */
  constructor(root, tell) {
    this.#root = root;
    this.#box = part(root, "beat-on", HTMLInputElement);
    this.#box.addEventListener("change", () => tell(this.#box.checked));
  }

  get isOn() {
    return this.#box.checked && !this.#root.hidden;
  }

  /**
   * @param {boolean} isPossible whether the platform can
   * @param {URL | null} source the file that it would import, if it is one
   */
  async draw(isPossible, source) {
    this.#root.hidden = !isPossible;
    part(this.#root, "beat-file").hidden = !source;
    if (!source) return;
    const link = part(this.#root, "beat-source", HTMLAnchorElement);
    const hash = part(this.#root, "beat-hash");
    if (link.href === source.href && hash.textContent) return;
    link.href = source.href;
    setText(link, source.pathname.split("/").at(-1) ?? "");
    setText(hash, await digest(source).catch(() => ""));
  }
}

/**
 * What somebody can compare with what they have fetched; nothing where the browser does not count.
 *
 * @param {URL} source
 */
async function digest(source) {
  const bytes = await (await fetch(source)).arrayBuffer();
  const sum = await crypto.subtle.digest("SHA-256", bytes);
  const hex = [...new Uint8Array(sum)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `SHA-256 ${hex}`;
}

/** Which platform is shown: the user's choice, kept in this browser, or the best guess. */

import { choosePlatform } from "../core/snippets.js";

/** @import { Picker } from "../elements/picker.js" */
/** @import { Platform } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

export class Choice {
  #root;
  #words;
  #platforms;
  #memory;
  #tell;
  /** @type {{ chosen: string | null, declared?: string | null, sdk?: string | null }} */
  #wishes;
  /** @type {Picker | null} */
  #picker = null;

  /**
   * @param {HTMLElement} root see `picker.html`
   * @param {Words} words
   * @param {Platform[]} platforms
   * @param {string} memory the name under which the choice is kept
   * @param {(platform: Platform) => void} tell that the user chose
   */
  constructor(root, words, platforms, memory, tell) {
    this.#root = root;
    this.#words = words;
    this.#platforms = platforms;
    this.#memory = memory;
    this.#tell = tell;
    this.#wishes = { chosen: storage((store) => store.getItem(memory)) };
    this.platform = choosePlatform(platforms, this.#wishes);
    this.#input.addEventListener("focus", () => this.#loadPicker());
  }

  /**
   * @param {{ declared?: string | null, sdk?: string | null }} wishes what else is known
   * @returns {boolean} whether another one is shown now
   */
  wish(wishes) {
    Object.assign(this.#wishes, wishes);
    const before = this.platform;
    this.platform = choosePlatform(this.#platforms, this.#wishes);
    if (this.#picker) this.#picker.show(this.platform);
    else this.#input.value = this.platform.name;
    return before !== this.platform;
  }

  get #input() {
    return /** @type {HTMLInputElement} */ (this.#root.querySelector("input"));
  }

  /** Most visitors never search. */
  async #loadPicker() {
    const code = this.#picker ? null : await import("../elements/picker.js").catch(() => null);
    if (!code || this.#picker) return;
    this.#picker = new code.Picker(this.#root, this.#words, this.#platforms, this.platform, (platform) => {
      storage((store) => store.setItem(this.#memory, platform.id));
      this.#wishes.chosen = platform.id;
      this.platform = platform;
      this.#tell(platform);
    });
  }
}

/**
 * Storage can be forbidden; then a choice lasts as long as the page.
 *
 * @template T
 * @param {(store: Storage) => T} use
 */
function storage(use) {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
}

/** Which platform is shown: the user's choice, kept in this browser, or the best guess. */

import { remembered } from "../core/picking.js";
import { choosePlatform } from "../core/snippets.js";
import { Picker } from "../elements/picker.js";

/** @import { Platform } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/** Where this browser keeps what was chosen last, in any project. */
const RECENT = "firstlight-platforms";

export class Choice {
  #platforms;
  /** @type {{ chosen: string | null, declared?: string | null, sdk?: string | null }} */
  #wishes;
  #picker;

  /**
   * @param {HTMLElement} root see `picker.html`
   * @param {Words} words
   * @param {Platform[]} platforms
   * @param {string} memory the name under which the choice is kept
   * @param {(platform: Platform) => void} tell that the user chose
   */
  constructor(root, words, platforms, memory, tell) {
    this.#platforms = platforms;
    this.#wishes = { chosen: storage((store) => store.getItem(memory)) };
    this.platform = choosePlatform(platforms, this.#wishes);
    this.#picker = new Picker(root, words, platforms, this.platform, (platform) => {
      storage((store) => store.setItem(memory, platform.id));
      this.#picker.recent = remembered(this.#picker.recent, platform.id);
      storage((store) => store.setItem(RECENT, this.#picker.recent.join(" ")));
      this.#wishes.chosen = platform.id;
      this.platform = platform;
      tell(platform);
    });
    this.#picker.recent = storage((store) => store.getItem(RECENT))?.split(" ") ?? [];
  }

  /**
   * @param {{ declared?: string | null, sdk?: string | null }} wishes what else is known
   * @returns {boolean} whether another one is shown now
   */
  wish(wishes) {
    Object.assign(this.#wishes, wishes);
    const before = this.platform;
    this.platform = choosePlatform(this.#platforms, this.#wishes);
    this.#picker.show(this.platform);
    return before !== this.platform;
  }
}

/**
 * Storage can be forbidden; then a choice lasts as long as the page.
 *
 * @template T
 * @param {(store: Storage) => T} use
 */
export function storage(use) {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
}

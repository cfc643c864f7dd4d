/** For who does not look: a notification and two notes when something happens while the tab is in the background. */

import { setText } from "../elements/dom.js";

/** @import { Headline, Mood } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/** In Hz, one after the other: up for what is good, down for what is not. */
const NOTES = [523.25, 783.99];
const NOTE = 0.16;
/** A fifth of what the system plays: it shall be heard, and startle nobody. */
const VOLUME = 0.2;

export class Notify {
  #button;
  #result;
  #words;
  /** Made on the click, as browsers want it. @type {AudioContext | null} */
  #sound = null;
  /** @type {Mood | null} */
  #told = null;

  /** @param {HTMLElement} button @param {HTMLElement} result where it says what to expect @param {Words} words */
  constructor(button, result, words) {
    this.#button = button;
    this.#result = result;
    this.#words = words.messages.notify;
    button.addEventListener("click", () => this.#turn());
  }

  /** @param {Headline} said @param {boolean} isKnown whether a snapshot has come */
  tell({ mood, text, line }, isKnown) {
    const isNews = this.#told !== null && mood !== this.#told && mood !== "awaiting" && mood !== "stopped";
    if (isKnown) this.#told = mood;
    if (!isNews || !this.#sound || !document.hidden) return;
    this.#play(mood === "problem" ? NOTES.toReversed() : NOTES);
    // One at a time: what is newer takes the place of what it replaces.
    if (isAllowed()) new Notification(text, { body: line, tag: location.pathname });
  }

  async #turn() {
    const isOn = this.#sound === null;
    this.#button.setAttribute("aria-pressed", String(isOn));
    if (!isOn) {
      this.#sound?.close();
      this.#sound = null;
      return setText(this.#result, "");
    }
    this.#sound = new AudioContext();
    const { on, sound_only: only } = this.#words;
    if (globalThis.Notification?.permission === "default") await Notification.requestPermission();
    if (this.#sound) setText(this.#result, isAllowed() ? on : only);
  }

  /** @param {number[]} notes */
  #play(notes) {
    const sound = /** @type {AudioContext} */ (this.#sound);
    const volume = new GainNode(sound, { gain: VOLUME });
    volume.connect(sound.destination);
    for (const [i, frequency] of notes.entries()) {
      const note = new OscillatorNode(sound, { frequency, type: "sine" });
      note.connect(volume);
      note.start(sound.currentTime + i * NOTE);
      note.stop(sound.currentTime + (i + 1) * NOTE);
    }
  }
}

const isAllowed = () => globalThis.Notification?.permission === "granted";

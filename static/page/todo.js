/** "What to do": the DSN, the platform, its steps, and two buttons to try the way. Comes after what is seen is live. */

import { HEARTBEAT } from "../core/compose.js";
import { parseDsn, STEPS } from "../core/snippets.js";
import { axesOf, turned } from "../core/variants.js";
import { Beat } from "../elements/beat.js";
import { part, setText } from "../elements/dom.js";
import { Dsn } from "../elements/dsn.js";
import { Trial } from "../elements/trial.js";
import { Variants } from "../elements/variants.js";
import { Choice, storage } from "./choice.js";
import { error, heartbeat } from "./send.js";

/** @import { Platforms } from "../core/platforms.js" */
/** @import { Platform, PlatformFile, Project, Target } from "../core/types.js" */
/** @import { Axis } from "../core/variants.js" */
/** @import { Words } from "../core/words.js" */
/** @import { Steps } from "../elements/steps.js" */
/** @import { Kind } from "../elements/trial.js" */

/**
 * @typedef {object} Listener
 * @property {(platform: Platform) => void} chosen by the user
 * @property {() => void} drawn other code stands there now
 */

/** Where this browser keeps how one wants the code, of any project. */
const WANTED = "firstlight-variants";

export class Todo {
  /** What the DSN stands for; null as long as it is not known, or not ours to see. @type {Target | null} */
  target = null;
  /** The features that the platform can have; null as long as nobody knows. @type {string[] | null} */
  possible = null;
  #root;
  #beat;
  #steps;
  #words;
  #platforms;
  #tell;
  #choice;
  #isUnloaded = false;
  #variants;
  /** What there is to choose for the platform. @type {Axis[]} */
  #axes = [];
  /** @type {Record<string, string>} */
  #wanted = Object.fromEntries(new URLSearchParams(storage((store) => store.getItem(WANTED)) ?? ""));

  /**
   * @param {HTMLElement} root
   * @param {Steps} steps
   * @param {Words} words
   * @param {Platforms} platforms
   * @param {Platform[]} index of all platforms
   * @param {string} memory the name under which this browser keeps the user's choice
   * @param {Listener} tell
   */
  constructor(root, steps, words, platforms, index, memory, tell) {
    this.#root = root;
    this.#beat = new Beat(part(root, "beat"), () => this.#drawSteps());
    this.#variants = new Variants(part(root, "variants"), words, (name, option) => this.#want(name, option));
    this.#steps = steps;
    this.#words = words;
    this.#platforms = platforms;
    this.#tell = tell;
    this.dsn = new Dsn(part(root, "dsn"), words);
    this.trial = new Trial(part(document, "trial"), words, (kind) => this.#send(kind));
    this.#choice = new Choice(part(root, "picker"), words, index, memory, (platform) => {
      tell.chosen(platform);
      this.#drawSteps();
    });
  }

  /** @param {Project | null} project null: it exists, but its DSN is not ours to see */
  async showProject(project) {
    this.target = parseDsn(project?.dsn);
    this.dsn.draw(project, this.target);
    this.trial.enable(this.target !== null);
    this.#choice.wish({ declared: project?.platform });
    await this.#drawSteps();
  }

  /** Where nobody chose a platform, the SDK's name may tell. @param {string | null | undefined} sdk */
  guess(sdk) {
    if (sdk && this.#choice.wish({ sdk })) this.#drawSteps();
  }

  get platform() {
    return this.#choice.platform;
  }

  /** What turns a feature on, for the platform that is shown. @param {string} name @param {string[]} on what is on */
  async help(name, on) {
    const { platform } = this.#choice;
    const found = await this.#platforms.feature(platform.id, name, [...this.#chosen, ...on]).catch(() => undefined);
    const snippet = found && { language: platform.language, ...turned(this.#axes, found, this.#wanted) };
    return { platform, values: this.target, snippet };
  }

  /** @param {string} name @param {string} option */
  #want(name, option) {
    this.#wanted[name] = option;
    storage((store) => store.setItem(WANTED, String(new URLSearchParams(this.#wanted))));
    this.#drawSteps();
  }

  /** Draws what could not be fetched when it was wanted. */
  async retry() {
    if (this.#isUnloaded) await this.#drawSteps();
  }

  async #drawSteps() {
    const { platform } = this.#choice;
    const file = await this.#platforms.file(platform.id, this.#chosen).catch(() => null);
    if (platform !== this.#choice.platform) return;
    const { unloaded } = this.#words.messages.picker;
    this.#isUnloaded = !file;
    setText(part(this.#root, "picker-note"), file ? "" : this.#words.say(unloaded, { platform: platform.name }));
    if (!file) return;
    this.#steps.draw(this.#asWanted(file), platform.language, this.target);
    await this.#drawPossible(platform);
    this.#tell.drawn();
  }

  /** @param {PlatformFile} file @returns {PlatformFile} */
  #asWanted(file) {
    this.#axes = axesOf(file);
    this.#variants.draw(this.#axes, this.#wanted);
    const [install, configure, error] = STEPS.map((name) => turned(this.#axes, file.steps[name], this.#wanted));
    return { ...file, steps: { install, configure, error } };
  }

  /** What else the platform can do. @param {Platform} platform */
  async #drawPossible({ id }) {
    const known = await Promise.all([this.#platforms.possible(id), this.#platforms.client(id)]).catch(() => null);
    if (!known || id !== this.#choice.platform.id) return;
    const [possible, client] = known;
    this.possible = possible;
    this.#beat.draw(possible.includes(HEARTBEAT), client);
  }

  /** What is on in the code that is shown. */
  get #chosen() {
    return this.#beat.isOn ? [HEARTBEAT] : [];
  }

  /** @param {Kind} kind */
  async #send(kind) {
    if (!this.target) return { ok: false, text: this.#words.messages.trial.no_answer };
    return (kind === "error" ? error : heartbeat)(this.target, this.#words);
  }
}

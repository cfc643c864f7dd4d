/** "What to do": the DSN, the platform, the snippets and the two buttons. */

import { codeBox, drawCode } from "./code.js";
import { $, copyButton, setText } from "./dom.js";
import { featureOf, platformFile } from "./platforms.js";
import { STEPS, choosePlatform, parseDsn } from "./snippets.js";

export class Steps {
  /** What the placeholders of all code stand for; null as long as the DSN is not known, or not ours to see. */
  target = null;
  #platforms;
  #memory;
  #tell;
  #project = null;
  #sdk = null;
  #chosen = null;
  #picker = null;
  #shown = null;

  /**
   * @param {object[]} platforms the index
   * @param {string} id the project's
   * @param {object} tell `chosen(platform)`: by the user; `shown()`: other code stands there now
   */
  constructor(platforms, id, tell) {
    this.#platforms = platforms;
    this.#memory = `firstlight.platform.${id}`;
    this.#tell = tell;
    this.#chosen = storage((store) => store.getItem(this.#memory));
    const copy = { id: "copy-dsn", "aria-label": "Copy the DSN", disabled: "" };
    $("dsn-box").append(copyButton(() => this.#project.dsn, copy));
    $("platform").addEventListener("focus", () => this.#loadPicker(), { once: true });
    this.#wire("send-heartbeat", "sendHeartbeat");
    this.#wire("send-error", "sendError");
  }

  /** @param {?object} project null: it exists, but its DSN is not ours to see */
  showProject(project) {
    this.#project = project;
    this.target = parseDsn(project?.dsn);
    setText($("title"), `Connect ${project?.name ?? "your app"}`);
    setText($("dsn"), project ? project.dsn ?? "No active key" : "Only the owner can see it");
    for (const id of ["copy-dsn", "send-heartbeat", "send-error"]) $(id).disabled = !this.target;
    return this.#draw();
  }

  /** Where nobody chose a platform, the SDK's name may tell. */
  showSdk(name) {
    if (!name || name === this.#sdk) return;
    this.#sdk = name;
    if (this.#shown) this.#draw();
  }

  /** What lies behind the user gets a check mark. */
  showStage(stage) {
    const done = { awaiting: 0, connected: 2, first_error_received: 3 }[stage];
    STEPS.forEach((step, i) => $(`step-${step}`).classList.toggle("done", i < done));
  }

  /** The platform that is shown, from the index; null until the first one is. */
  get platform() {
    return this.#shown;
  }

  /** What turns a feature on, for the platform that is shown. */
  async feature(name) {
    const platform = this.#shown;
    const found = await featureOf(platform.id, name).catch(() => null);
    return { platform, values: this.target, snippet: found && { language: platform.language, ...found } };
  }

  /** Most visitors never search. */
  async #loadPicker() {
    const { Picker } = await import("./picker.js");
    this.#picker = new Picker($("picker"), this.#platforms, this.#shown, (platform) => {
      this.#chosen = platform.id;
      storage((store) => store.setItem(this.#memory, platform.id));
      this.#tell.chosen(platform);
      this.#draw();
    });
  }

  async #draw() {
    const wishes = { chosen: this.#chosen, declared: this.#project?.platform, sdk: this.#sdk };
    const platform = (this.#shown = choosePlatform(this.#platforms, wishes));
    if (this.#picker) this.#picker.show(platform);
    else $("platform").value = platform.name;
    const file = await platformFile(platform.id).catch(() => null);
    if (!file || platform !== this.#shown) return;
    for (const step of STEPS) drawStep(step, file.steps[step], platform.language, this.target);
    this.#tell.shown();
  }

  #wire(id, action) {
    const result = $("send-result");
    $(id).addEventListener("click", async () => {
      setText(result, "Sending");
      const send = await import("./send.js");
      const { ok, text } = await send[action](this.target);
      setText(result, text);
      result.dataset.ok = ok;
    });
  }
}

function drawStep(name, step, language, values) {
  const { also = [], note, ...first } = step;
  const row = $(`step-${name}`);
  setText(row.querySelector(".note"), note ?? "");
  drawCode($(`code-${name}`), { language, ...first }, values, { id: `copy-${name}`, "aria-label": `Copy: ${name}` });
  // Some platforms want a second file.
  for (const extra of row.querySelectorAll(".also")) extra.remove();
  const boxes = also.map((part, i) => codeBox({ language, ...part }, values, { "aria-label": `Copy: ${name}, part ${i + 2}` }));
  for (const box of boxes) box.classList.add("also");
  $(`code-${name}`).after(...boxes);
}

/** Storage can be forbidden; then a choice lasts as long as the page. */
function storage(use) {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
}

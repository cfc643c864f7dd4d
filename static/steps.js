/** "What to do": the DSN, the platform, the snippets and the two buttons. */

import { $, copyButton, el, setText } from "./dom.js";
import { STEPS, choosePlatform, fill, highlight, parseDsn } from "./snippets.js";

export class Steps {
  #platforms;
  #memory;
  #project = null;
  #target = null;
  #sdk = null;
  #chosen = null;
  #picker = null;
  #shown = null;

  constructor(platforms, id) {
    this.#platforms = platforms;
    this.#memory = `firstlight.platform.${id}`;
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
    this.#target = parseDsn(project?.dsn);
    setText($("title"), `Connect ${project?.name ?? "your app"}`);
    setText($("dsn"), project ? project.dsn ?? "No active key" : "Only the owner can see it");
    for (const id of ["copy-dsn", "send-heartbeat", "send-error"]) $(id).disabled = !this.#target;
    this.#draw();
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

  /** Most visitors never search. */
  async #loadPicker() {
    const { Picker } = await import("./picker.js");
    this.#picker = new Picker($("picker"), this.#platforms, this.#shown, (platform) => {
      this.#chosen = platform.id;
      storage((store) => store.setItem(this.#memory, platform.id));
      this.#draw();
    });
  }

  #draw() {
    const wishes = { chosen: this.#chosen, declared: this.#project?.platform, sdk: this.#sdk };
    this.#shown = choosePlatform(this.#platforms, wishes);
    if (this.#picker) this.#picker.show(this.#shown);
    else $("platform").value = this.#shown.name;
    for (const step of STEPS) drawStep(step, this.#shown, this.#target);
  }

  #wire(id, action) {
    const result = $("send-result");
    $(id).addEventListener("click", async () => {
      setText(result, "Sending");
      const send = await import("./send.js");
      const { ok, text } = await send[action](this.#target);
      setText(result, text);
      result.dataset.ok = ok;
    });
  }
}

function drawStep(name, platform, values) {
  const { code, language, file, note } = platform.steps[name];
  const [row, box] = [$(`step-${name}`), $(`code-${name}`)];
  const filled = fill(code, values);
  if (box.dataset.code === filled) return;
  box.dataset.code = filled;
  setText(row.querySelector(".note"), note ?? "");
  const copy = { id: `copy-${name}`, "aria-label": `Copy: ${name}` };
  const parts = highlight(filled.trimEnd(), language, values);
  const spans = parts.map(([kind, text]) => (kind ? el("span", { class: `t-${kind}`, text }) : text));
  box.replaceChildren(
    el("span", { class: "file", text: file ?? "" }),
    copyButton(() => filled, copy),
    el("pre", { tabindex: "0" }, el("code", { dir: "ltr" }, spans)), // What scrolls has to be reachable by keyboard.
  );
}

/** Storage can be forbidden; then a choice lasts as long as the page. */
function storage(use) {
  try {
    return use(localStorage);
  } catch {
    return null;
  }
}

/**
 * `<firstlight-status project="1">`: how far a project is, live, on anybody's page.
 *
 * ```html
 * <script type="module" src="https://firstlight.example/static/firstlight.js"></script>
 * <firstlight-status project="1" token="…"></firstlight-status>
 * ```
 *
 * The page's origin has to be one of FIRSTLIGHT_ORIGINS, and the token one that only lets look: whoever sees the page can
 * read it. Without a token the cookie of the same origin is taken, or none is needed.
 */

import { Connection } from "./core/connection.js";
import { headline } from "./core/headline.js";
import { loadWords } from "./core/load.js";
import { initialState, reduce, stageOf } from "./core/state.js";
import { el } from "./elements/dom.js";
import { Status } from "./elements/status.js";

/** @import { PageEvent } from "./core/types.js" */
/** @import { Words } from "./core/words.js" */

const SITE = new URL("./", import.meta.url);
const SHEETS = ["tokens", "base", "status"];

/** Our own markup, whose words are filled in when it is drawn. */
async function markup() {
  const [status, logo] = await Promise.all(
    ["status", "logo"].map(async (name) => (await fetch(new URL(`elements/${name}.html`, SITE))).text()),
  );
  const text = status.replace("{{> logo}}", logo).replaceAll(/\{\{[\w.]+\}\}/g, "");
  return /** @type {HTMLElement} */ (new DOMParser().parseFromString(text, "text/html").body.firstElementChild);
}

export class FirstlightStatus extends HTMLElement {
  #state = initialState(Date.now());
  /** @type {Connection | null} */
  #connection = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #clock;

  async connectedCallback() {
    const [root, words] = await Promise.all([
      markup(),
      loadWords(new URL("messages/", SITE), "en", (url) => fetch(url)),
    ]);
    if (!this.isConnected || this.#connection) return; // taken out of the page meanwhile, or put back
    const shadow = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    const sheets = SHEETS.map((name) =>
      el("link", { rel: "stylesheet", href: new URL(`elements/${name}.css`, SITE).href }),
    );
    const box = el("div", { class: "firstlight" }, root);
    shadow.replaceChildren(...sheets, box);
    this.#follow(box, new Status(root), words);
  }

  disconnectedCallback() {
    clearInterval(this.#clock);
    this.#connection?.stop("refused");
    this.#connection = null;
  }

  /** @param {HTMLElement} box @param {Status} status @param {Words} words */
  #follow(box, status, words) {
    const draw = () => {
      box.dataset.stage = stageOf(this.#state);
      status.draw(headline(this.#state, words, Date.now()), this.#state.snapshot !== null);
    };
    const apply = (/** @type {PageEvent} */ event) => {
      this.#state = reduce(this.#state, event);
      draw();
    };
    const live = new URL(`../live/${encodeURIComponent(this.getAttribute("project") ?? "")}`, SITE);
    status.name(this.getAttribute("name") ?? "");
    this.#connection = new Connection(live, this.getAttribute("token"), {
      message: (message, fresh) => apply({ message, fresh, at: Date.now() }),
      link: (link) => this.#connection && apply({ link }),
    });
    this.#connection.start();
    this.#clock = setInterval(draw, 1_000);
  }
}

if (!customElements.get("firstlight-status")) customElements.define("firstlight-status", FirstlightStatus);

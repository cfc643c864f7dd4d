/** The onboarding page, made of elements: brings state, connection and drawing together. */

import { Connection } from "../core/connection.js";
import { headline } from "../core/headline.js";
import { loadWords } from "../core/load.js";
import { Platforms } from "../core/platforms.js";
import { worded } from "../core/problems.js";
import { initialState, linkState, news, problemsOf, reduce, stageOf } from "../core/state.js";
import { drawTimes, part, setText } from "../elements/dom.js";
import { Link } from "../elements/link.js";
import { Reset } from "../elements/reset.js";
import { Stages } from "../elements/stages.js";
import { Status } from "../elements/status.js";
import { Way } from "../elements/way.js";
import { lookQuietly, problemsAfter } from "./blocked.js";
import { SetupCheck } from "./check.js";
import { Details } from "./details.js";
import { Panel } from "./panel.js";
import { Server } from "./server.js";
import { drawTab } from "./tab.js";
import { Todo } from "./todo.js";
import { tradeToken } from "./token.js";

/** @import { Message, PageEvent, Problem } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */
/** @import { Found } from "./blocked.js" */

class OnboardingPage {
  #words;
  #server;
  #platforms;
  #state = initialState(Date.now());
  #see = part(document, "see");
  /** What to do; null until it is here. @type {Todo | null} */
  #todo = null;
  #details;
  #check;
  #looked = false;
  /** Who waits for the next check to reach this viewer. @type {Set<() => void>} */
  #awaited = new Set();
  /** @type {Connection | null} */
  #connection = null;

  /** @param {Words} words @param {Server} server @param {Platforms} platforms */
  constructor(words, server, platforms) {
    this.#words = words;
    this.#server = server;
    this.#platforms = platforms;
    this.panel = new Panel(this.#see, words);
    this.link = new Link(part(document, "link"), words, () => this.#connection?.retryNow());
    this.status = new Status(part(document, "status"));
    this.stages = new Stages(part(document, "stages"), words);
    this.way = new Way(part(document, "way"), words);
    this.#details = new Details(part(document, "see-body"), words, server.root, (name) =>
      this.#todo ? this.#todo.help(name) : null,
    );
    this.#check = new SetupCheck(part(document, "check"), words, server.root, {
      link: () => ({ name: linkState(this.#state), text: this.link.text }),
      seen: (patience) => this.#seen(patience),
      found: (found) => this.#found(found),
    });
    part(document, "start-over").addEventListener("click", () => this.#startOver());
    this.#see.addEventListener("click", ({ target }) => {
      if (target instanceof Element && target.closest(".check-setup")) this.#checkSetup();
    });
  }

  /**
   * Connects first: what is known is shown before anything else is loaded.
   *
   * @param {string} id the project's
   */
  async open(id) {
    if (location.hash.startsWith("#token=")) {
      this.#server.token = await tradeToken((given) => this.#server.trade(given));
    }
    this.#connect(id);
    setInterval(() => this.#tick(), 1_000);
    await this.#loadTodo(id);
  }

  /**
   * What failed with the network is tried again with it.
   *
   * @param {string} id the project's
   */
  async #loadTodo(id) {
    const index = await this.#platforms.index().catch(() => null);
    if (!index || this.#todo) return;
    const memory = `firstlight.platform.${id}`;
    this.#todo = new Todo(part(document, "do"), this.#words, this.#platforms, index, memory, {
      chosen: (platform) => this.#server.rememberPlatform(platform.id),
      drawn: () => this.#redraw(),
    });
    await this.#loadProject();
  }

  /** @param {string} id the project's */
  #connect(id) {
    const connection = new Connection(this.#server.live, this.#server.token, {
      message: (message, fresh) => this.#apply({ message, fresh, at: Date.now() }),
      link: (link) => {
        this.#apply({ link });
        if (link.state === "live") this.#isLive(id);
      },
    });
    this.#connection = connection;
    connection.start();
    addEventListener("online", () => connection.retryNow());
    addEventListener("offline", () => connection.verify());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      connection.retryNow();
      if (this.#state.own.some(({ resolved }) => !resolved)) this.#lookQuietly();
    });
  }

  /** @param {string} id the project's */
  #isLive(id) {
    this.#todo?.retry();
    if (!this.#todo) this.#loadTodo(id);
    else if (!this.#state.project) this.#loadProject();
    this.#lookOnce();
  }

  /** @param {PageEvent} event */
  #apply(event) {
    const before = this.#state;
    this.#state = reduce(before, event);
    this.#draw();
    const { stage, raised, resolved } = news(before, this.#state);
    const changed = { stage, raised: this.#worded(raised), resolved: this.#worded(resolved) };
    const said = this.#words.announcement(changed, this.#state);
    if (said) setText(part(document, "spoken"), said);
    if (raised.some(({ code }) => code === "silence")) this.#lookQuietly();
    for (const look of [...this.#awaited]) look();
  }

  #draw() {
    const state = this.#state;
    const stage = stageOf(state);
    const { reason } = this.#words.link(state, Date.now());
    Object.assign(document.body.dataset, { stage, link: linkState(state), version: state.snapshot?.version ?? 0 });
    part(document, "reason").hidden = !reason;
    setText(part(document, "reason"), reason ?? "");
    this.stages.draw(state);
    this.way.draw(state);
    this.#todo?.show(stage, state.snapshot?.sdk.name);
    this.#drawDetails();
    this.#tick();
  }

  /** What changes by time alone. */
  #tick() {
    const now = Date.now();
    const said = headline(this.#state, this.#words, now);
    this.link.draw(this.#state, now);
    this.status.draw(said, this.#state);
    drawTab(said);
    this.stages.tick(this.#state, now);
    drawTimes(this.#see, this.#words, now + this.#state.skew);
  }

  #drawDetails() {
    const problems = this.#worded(problemsOf(this.#state));
    this.#details.draw(this.#state, problems, this.#todo?.target ?? null);
    this.panel.count(problems);
  }

  /** Other code or other values stand there now. */
  #redraw() {
    this.#details.redraw();
    this.#drawDetails();
  }

  /** @param {Problem[]} problems */
  #worded(problems) {
    return problems.map((problem) => worded(problem, this.#words));
  }

  async #loadProject() {
    const project = await this.#server.project();
    await this.#todo?.showProject(project);
    part(document, "check-setup", HTMLButtonElement).disabled = !this.#todo?.target;
    this.#apply({ project });
    this.#lookOnce();
  }

  #startOver() {
    const [button, result] = [part(document, "start-over"), part(document, "over-result")];
    const done = (/** @type {Message} */ message) => this.#apply({ message, at: Date.now() });
    new Reset(button, result, this.#words, () => this.#server.reset(), done).ask();
  }

  async #checkSetup() {
    const target = this.#todo?.target;
    if (target) await this.#check.run(target);
  }

  /**
   * When the next check reaches this viewer, or null after so many ms.
   *
   * @param {number} patience
   * @returns {Promise<number | null>}
   */
  #seen(patience) {
    const before = this.#state.snapshot?.checked_at;
    return new Promise((done) => {
      const look = () => this.#state.snapshot?.checked_at !== before && end(performance.now());
      const timer = setTimeout(() => end(null), patience);
      const end = (/** @type {number | null} */ at) => {
        this.#awaited.delete(look);
        clearTimeout(timer);
        done(at);
      };
      this.#awaited.add(look);
    });
  }

  /** Once when the page opens; again when somebody comes back, as long as something is in the way. */
  #lookOnce() {
    if (this.#looked || !this.#todo?.target || linkState(this.#state) !== "live") return;
    this.#looked = true;
    this.#lookQuietly();
  }

  /** Whether this browser gets through to the address that SDKs send to; says something only if not. */
  async #lookQuietly() {
    const target = this.#todo?.target;
    if (!target || linkState(this.#state) !== "live") return;
    await this.#found(await lookQuietly(target, this.#server.root));
  }

  /** @param {Found} found */
  async #found(found) {
    if (found.cause === null && !this.#state.own.length) return;
    const said = new URL(`problems/browser_blocked?platform=${this.#todo?.platform.id ?? ""}`, this.#server.root);
    const at = Date.now() + this.#state.skew;
    const own = await problemsAfter(this.#state.own, found, this.#words, said, at);
    if (own !== this.#state.own) this.#apply({ own });
  }
}

async function main() {
  const site = new URL("../", import.meta.url);
  const id = /\/onboarding\/(\d+)/.exec(location.pathname)?.[1] ?? "";
  const ask = (/** @type {URL} */ url) => fetch(url);
  const words = await loadWords(new URL("messages/", site), document.documentElement.lang, ask);
  const server = new Server(new URL("../", site), id);
  await new OnboardingPage(words, server, new Platforms(new URL("platforms/", site), ask)).open(id);
}

main();

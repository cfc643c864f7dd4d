/** The onboarding page, made of elements: brings state, connection and drawing together. */

import { Connection } from "../core/connection.js";
import { loadWords } from "../core/load.js";
import { Platforms } from "../core/platforms.js";
import { worded } from "../core/problems.js";
import { familyOf, parseDsn } from "../core/snippets.js";
import { initialState, linkState, news, problemsOf, reduce, stageOf } from "../core/state.js";
import { drawTimes, part, setText } from "../elements/dom.js";
import { Dsn } from "../elements/dsn.js";
import { Features } from "../elements/features.js";
import { Link } from "../elements/link.js";
import { Signals } from "../elements/signals.js";
import { Stages } from "../elements/stages.js";
import { Status } from "../elements/status.js";
import { Steps } from "../elements/steps.js";
import { Trial } from "../elements/trial.js";
import { Choice } from "./choice.js";
import { Panel } from "./panel.js";
import { Server } from "./server.js";
import { drawTab } from "./tab.js";

/** @import { Message, PageEvent, Problem, Target } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */
/** @import { Problems } from "../elements/problems.js" */
/** @import { Kind } from "../elements/trial.js" */
/** @import { SetupCheck } from "./check.js" */
/** @import { Found } from "./blocked.js" */

class OnboardingPage {
  #words;
  #server;
  #platforms;
  #state = initialState(Date.now());
  #see = part(document, "see");
  /** What the DSN stands for; null as long as it is not known, or not ours to see. @type {Target | null} */
  #target = null;
  /** Which platform is shown; null until the platforms are here. @type {Choice | null} */
  #choice = null;
  /** Made when they are first wanted. @type {Problems | null} */
  #problems = null;
  /** @type {SetupCheck | null} */
  #check = null;
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
    this.status = new Status(part(document, "status"), words);
    this.stages = new Stages(part(document, "stages"), words);
    this.features = new Features(part(document, "features"), words, (name) => this.#help(name));
    this.signals = new Signals(part(document, "signals"), words);
    this.dsn = new Dsn(part(document, "dsn"), words);
    this.steps = new Steps(part(document, "steps"), words);
    this.trial = new Trial(part(document, "trial"), words, (kind) => this.#send(kind));
    part(document, "start-over").addEventListener("click", () => this.#startOver());
    this.#see.addEventListener("click", ({ target }) => {
      if (target instanceof Element && target.closest(".check-setup")) this.#checkSetup();
    });
  }

  /** Connects first: what is known is shown before anything else is loaded. @param {string} id the project's */
  async open(id) {
    const platforms = this.#platforms.index();
    if (location.hash.startsWith("#token=")) {
      const { tradeToken } = await import("./token.js");
      this.#server.token = await tradeToken((given) => this.#server.trade(given));
    }
    this.#connect();
    setInterval(() => this.#tick(), 1_000);
    const root = part(document, "picker");
    this.#choice = new Choice(root, this.#words, await platforms, `firstlight.platform.${id}`, (platform) => {
      this.#server.rememberPlatform(platform.id);
      this.#drawSteps();
    });
    await this.#loadProject();
  }

  #connect() {
    const connection = new Connection(this.#server.live, this.#server.token, {
      message: (message, fresh) => this.#apply({ message, fresh, at: Date.now() }),
      link: (link) => {
        this.#apply({ link });
        if (link.state === "live" && this.#choice && !this.#state.project) this.#loadProject();
        if (link.state === "live") this.#lookOnce();
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
    this.status.draw(state);
    this.stages.draw(state);
    this.features.draw(state);
    this.signals.draw(state);
    this.steps.showStage(stage);
    drawTab(this.#words.tabTitle(state), stage, this.status.glyph(stage));
    if (state.snapshot?.sdk.name && this.#choice?.wish({ sdk: state.snapshot.sdk.name })) this.#drawSteps();
    this.#drawProblems();
    this.#tick();
  }

  /** What changes by time alone. */
  #tick() {
    const now = Date.now();
    this.link.draw(this.#state, now);
    this.status.tick(this.#state, now, this.panel.where);
    this.stages.tick(this.#state, now);
    drawTimes(this.#see, this.#words, now + this.#state.skew);
  }

  /** Most visitors never see a problem; its element is fetched with the first. */
  async #drawProblems() {
    if (!this.#problems && !problemsOf(this.#state).length) return;
    const code = await import("../elements/problems.js").catch(() => null); // Lost with the network, as the link says.
    if (!code) return;
    this.#problems ??= new code.Problems(part(document, "problems"), this.#words, this.#server.root);
    const problems = this.#worded(problemsOf(this.#state)); // the newest, whenever the code came
    this.#problems.draw(problems, this.#target);
    this.panel.count(problems);
    drawTimes(this.#see, this.#words, Date.now() + this.#state.skew);
  }

  /** @param {Problem[]} problems */
  #worded(problems) {
    const family = familyOf(this.#choice?.platform);
    return problems.map((problem) => worded(problem, this.#words, family));
  }

  async #loadProject() {
    const project = await this.#server.project();
    this.#target = parseDsn(project?.dsn);
    const { connect, title } = this.#words.messages.page;
    setText(part(document, "title"), project ? this.#words.say(connect, { name: project.name }) : title);
    this.dsn.draw(project, this.#target);
    this.trial.enable(this.#target !== null);
    part(document, "check-setup", HTMLButtonElement).disabled = !this.#target;
    this.#choice?.wish({ declared: project?.platform });
    await this.#drawSteps();
    this.#apply({ project });
    this.#lookOnce();
  }

  async #drawSteps() {
    const platform = this.#choice?.platform;
    if (!platform) return;
    const file = await this.#platforms.file(platform.id).catch(() => null);
    if (!file || platform !== this.#choice?.platform) return;
    this.steps.draw(file, platform.language, this.#target);
    this.features.redraw();
    this.#drawProblems();
  }

  /** What turns a feature on, for the platform that is shown. @param {string} name */
  async #help(name) {
    const { platform } = /** @type {Choice} */ (this.#choice);
    const found = await this.#platforms.feature(platform.id, name).catch(() => null);
    return { platform, values: this.#target, snippet: found && { language: platform.language, ...found } };
  }

  /** @param {Kind} kind */
  async #send(kind) {
    const send = await import("./send.js");
    return send[kind](/** @type {Target} */ (this.#target), this.#words);
  }

  /** Rarely wanted, so fetched when it is. */
  async #startOver() {
    const { Reset } = await import("../elements/reset.js");
    const [button, result] = [part(document, "start-over"), part(document, "over-result")];
    const done = (/** @type {Message} */ message) => this.#apply({ message, at: Date.now() });
    new Reset(button, result, this.#words, () => this.#server.reset(), done).ask();
  }

  async #checkSetup() {
    if (!this.#target) return;
    const { SetupCheck } = await import("./check.js");
    this.#check ??= new SetupCheck(part(document, "check"), this.#words, this.#server.root, {
      link: () => ({ name: linkState(this.#state), text: this.link.text }),
      seen: (patience) => this.#seen(patience),
      found: (found) => this.#found(found),
    });
    await this.#check.run(this.#target);
  }

  /** When the next check reaches this viewer, or null after so many ms. @param {number} patience @returns {Promise<number | null>} */
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
    if (this.#looked || !this.#target || linkState(this.#state) !== "live") return;
    this.#looked = true;
    this.#lookQuietly();
  }

  /** Whether this browser gets through to the address that SDKs send to; says something only if not. */
  async #lookQuietly() {
    if (!this.#target || linkState(this.#state) !== "live") return;
    const code = await import("./blocked.js").catch(() => null); // Lost with the network, as the link says.
    if (code) await this.#found(await code.lookQuietly(this.#target, this.#server.root));
  }

  /** @param {Found} found */
  async #found(found) {
    if (found.cause === null && !this.#state.own.length) return;
    const { problemsAfter } = await import("./blocked.js");
    const said = new URL(`problems/browser_blocked?platform=${this.#choice?.platform.id ?? ""}`, this.#server.root);
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

/** The onboarding page, made of elements: brings state, connection and drawing together. */

import { Connection } from "../core/connection.js";
import { headline } from "../core/headline.js";
import { loadWords } from "../core/load.js";
import { Platforms } from "../core/platforms.js";
import { worded } from "../core/problems.js";
import { spine } from "../core/spine.js";
import { initialState, linkState, news, problemsOf, reduce, stageOf } from "../core/state.js";
import { drawTimes, part, renew } from "../elements/dom.js";
import { Language } from "../elements/language.js";
import { Link } from "../elements/link.js";
import { Next } from "../elements/next.js";
import { Reset } from "../elements/reset.js";
import { Status } from "../elements/status.js";
import { Steps } from "../elements/steps.js";
import { Theme } from "../elements/theme.js";
import { Way } from "../elements/way.js";
import { Details } from "./details.js";
import { Notify } from "./notify.js";
import { copyPrompt } from "./prompt.js";
import { Server } from "./server.js";
import { Spoken } from "./spoken.js";
import { Strip } from "./strip.js";
import { drawTab } from "./tab.js";
import { Todo } from "./todo.js";
import { tradeToken } from "./token.js";
import { Trouble } from "./trouble.js";

/** @import { Message, PageEvent, Problem } from "../core/types.js" */
/** @import { Words } from "../core/words.js" */

/** Long enough for a colleague's holiday. */
const INVITED = 7 * 24 * 3600;

class OnboardingPage {
  #words;
  #server;
  #platforms;
  #state = initialState(Date.now());
  #steps;
  /** The code to copy; null until it is here. @type {Todo | null} */
  #todo = null;
  #details;
  #spoken;
  #trouble;
  /** @type {Connection | null} */
  #connection = null;

  /** @param {Words} words @param {Server} server @param {Platforms} platforms */
  constructor(words, server, platforms) {
    this.#words = words;
    this.#server = server;
    this.#platforms = platforms;
    this.link = new Link(part(document, "link"), words, () => this.#connection?.retryNow());
    this.status = new Status(part(document, "status"));
    this.strip = new Strip(part(document, "top"), part(document, "headline"));
    this.#spoken = new Spoken(part(document, "spoken"), words);
    this.way = new Way(part(document, "way"), words);
    this.#steps = new Steps(part(document, "do", HTMLDetailsElement), words);
    this.#details = new Details(part(document, "known"), words, server.root, (name, on) =>
      this.#todo ? this.#todo.help(name, on) : null,
    );
    this.next = new Next(part(document, "next"), words, {
      turnOn: (feature) => this.#details.features.open(feature),
      invite: () => server.invite(INVITED),
    });
    this.notify = new Notify(part(document, "notify"), part(document, "notify-result"), words);
    this.theme = new Theme(part(document, "theme"));
    this.language = new Language(part(document, "tongue", HTMLSelectElement), server.root);
    this.#trouble = new Trouble(part(document, "check"), words, server.root, {
      state: () => this.#state,
      target: () => this.#todo?.target ?? null,
      platform: () => this.#todo?.platform.id ?? "",
      link: () => this.link.text,
      found: (own) => this.#apply({ own }),
    });
    copyPrompt(part(document, "copy-prompt"), part(document, "prompt-result"), words, () => this.#prompt());
    part(document, "start-over").addEventListener("click", () => this.#startOver());
    part(document, "known").addEventListener("click", ({ target }) => {
      if (target instanceof Element && target.closest(".check-setup")) this.#trouble.checkSetup();
    });
  }

  /**
   * Connects first: what is known is shown before anything else is asked for.
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
    this.#todo = new Todo(part(document, "do"), this.#steps, this.#words, this.#platforms, index, memory, {
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
      this.#trouble.lookAgain();
    });
  }

  /** @param {string} id the project's */
  #isLive(id) {
    this.#todo?.retry();
    if (!this.#todo) this.#loadTodo(id);
    else if (!this.#state.project) this.#loadProject();
    this.#trouble.lookOnce();
  }

  /** @param {PageEvent} event */
  #apply(event) {
    const before = this.#state;
    this.#state = reduce(before, event);
    this.#draw();
    const isOther = !before.snapshot || stageOf(before) !== stageOf(this.#state);
    if (this.#state.snapshot && isOther) renew(part(document, "spine"));
    const { stage, raised, resolved } = news(before, this.#state);
    const changed = { stage, raised: this.#worded(raised), resolved: this.#worded(resolved) };
    this.#spoken.tell(changed, this.#state);
    this.#trouble.changed(raised);
  }

  #draw() {
    const state = this.#state;
    const version = state.snapshot?.version ?? 0;
    Object.assign(document.body.dataset, { stage: stageOf(state), link: linkState(state), version });
    this.way.draw(state);
    this.next.draw(state);
    this.#todo?.guess(state.snapshot?.sdk.name);
    this.#drawDetails();
    this.#tick();
  }

  /** What changes by time alone. */
  #tick() {
    const [state, now] = [this.#state, Date.now()];
    const said = headline(state, this.#words, now);
    document.body.dataset.mood = said.mood;
    drawTab(said);
    this.link.draw(state, now);
    this.status.draw(said, state.snapshot !== null);
    this.strip.draw(said);
    this.#spoken.tick(state, said, now);
    this.notify.tell(said, state.snapshot !== null);
    this.#steps.show(spine(state, problemsOf(state), this.#words, now));
    this.#details.tick(state, now);
    drawTimes(document.body, this.#words, now + state.skew);
  }

  #drawDetails() {
    const problems = this.#worded(problemsOf(this.#state));
    this.#details.draw(this.#state, problems, this.#todo?.target ?? null);
  }

  /** Other code or other values stand there now. */
  #redraw() {
    this.#details.redraw(this.#todo?.possible ?? null);
    this.#drawDetails();
  }

  /** @param {Problem[]} problems */
  #worded(problems) {
    const { platform } = this.#todo ?? {};
    return problems.map((problem) => ({ ...worded(problem, this.#words), docs: articleOf(problem, platform?.id) }));
  }

  async #loadProject() {
    const project = await this.#server.project();
    this.status.name(project?.name ?? this.#words.messages.page.title);
    await this.#todo?.showProject(project);
    part(document, "check-setup", HTMLButtonElement).disabled = !this.#todo?.target;
    this.#apply({ project });
    this.#trouble.lookOnce();
  }

  #prompt() {
    const { platform, target } = this.#todo ?? {};
    return this.#server.prompt(platform?.id ?? "", target?.dsn ?? "");
  }

  #startOver() {
    const [button, result] = [part(document, "start-over"), part(document, "over-result")];
    const done = (/** @type {Message} */ message) => this.#apply({ message, at: Date.now() });
    new Reset(button, result, this.#words, () => this.#server.reset(), done).ask();
  }
}

/**
 * Where a problem is explained at length, for the platform that is shown.
 *
 * @param {Problem} problem
 * @param {string | undefined} platform
 */
function articleOf({ code, docs }, platform) {
  return docs && `problems/${code}${platform ? `?platform=${platform}` : ""}`;
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

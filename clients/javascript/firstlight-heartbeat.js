// MIT License. Part of Firstlight. Copy this file into your project; it needs nothing but a browser, or Node.js 18 or newer.
/**
 * Tells a Firstlight server that your application runs, and how its Sentry SDK (7 or newer) is set up.
 *
 *     import { start } from "./firstlight-heartbeat.js";
 *     start();                  // after Sentry.init(…)
 *     start(dsn);               // without an SDK
 *     start({ interval: 30 });  // a back end: say so every 30 seconds
 *
 * CommonJS: save it as firstlight-heartbeat.mjs, then `import("./firstlight-heartbeat.mjs").then(({ start }) => start());`
 *
 * It never throws, keeps no process alive, and prints nothing unless `debug` is set.
 */

const VERSION = "0.1.0";
const TIMEOUT_MS = 5_000;
const EXIT_WAIT_MS = 50; // A program that ends at once waits so long, at most, for its first heartbeat to be written.
const EXIT_TURNS = 5; // Counted in turns of the event loop, so that on a busy machine what is ready has its turn, too.
const MAX_BACKOFF_S = 300;
const RATE_LIMITED_S = 60; // What SDKs wait after a 429 without Retry-After.
const FINAL = [400, 401, 403, 404]; // Answers that will not change until somebody changes the DSN.

const RATES = {
  sampleRate: "sample_rate",
  tracesSampleRate: "traces_sample_rate",
  profilesSampleRate: "profiles_sample_rate",
  profileSessionSampleRate: "profile_session_sample_rate",
  replaysSessionSampleRate: "replays_session_sample_rate",
  replaysOnErrorSampleRate: "replays_on_error_sample_rate",
};
const FLAGS = {
  enableLogs: "enable_logs",
  enableMetrics: "enable_metrics",
  debug: "debug",
  sendDefaultPii: "send_default_pii",
};

const started = new Set();
const isNode = Boolean(globalThis.process?.versions?.node) && typeof document === "undefined";
const isOther = Boolean(globalThis.process?.versions?.bun || globalThis.process?.versions?.deno); // their sockets hold on

/**
 * Sends one heartbeat, and goes on every `interval` seconds if there is one. Returns at once.
 *
 * @param {string|object} [dsn] default: that of the Sentry SDK, else the environment's SENTRY_DSN
 * @param {object} [options] interval (seconds, 1 to 3600), release, environment, debug;
 *   client: `Sentry.getClient()`, where an application has several
 */
export function start(dsn, options) {
  let debug = false;
  try {
    const given = { ...(typeof dsn === "string" ? { dsn } : dsn), ...options };
    const client = given.client ?? currentClient();
    const sdkOptions = client?.getOptions?.() ?? {};
    const env = (isNode && process.env) || {};
    debug = Boolean(given.debug ?? sdkOptions.debug);
    const target = parse(given.dsn || sdkOptions.dsn || env.SENTRY_DSN);
    if (!target) return say(debug, "no heartbeat: there is no valid DSN");
    if (started.has(target.url + target.key)) return;
    started.add(target.url + target.key);
    const interval = Number.isFinite(given.interval) ? clamp(given.interval) : undefined;
    const body = JSON.stringify({
      type: "heartbeat",
      interval,
      sdk: sdkOf(sdkOptions),
      release: text(given.release || sdkOptions.release || env.SENTRY_RELEASE),
      // What the SDKs put into an event that has none.
      environment: text(given.environment || sdkOptions.environment || env.SENTRY_ENVIRONMENT || (client && "production")),
      runtime: runtime(),
      config: config(sdkOptions),
    });
    const isSdks = target.dsn === parse(sdkOptions.dsn)?.dsn && sdkOptions.transport && !isOther;
    beat({ ...target, body, interval, debug, isSdks, sdkOptions, failures: 0, isFirst: true });
  } catch (error) {
    say(debug, `no heartbeat: ${error}`);
  }
}

async function beat(state) {
  try {
    await null; // Whatever comes now, the caller has gone on.
    const post = state.isSdks ? postThroughSdk : isNode ? postFromNode : postFromBrowser;
    const { status, retryAfter } = await post(state);
    state.isFirst = false;
    const delay = delayAfter(state, status, retryAfter);
    if (delay === undefined) return;
    const timer = setTimeout(() => beat(state), delay * 1000);
    timer?.unref?.();
  } catch (error) {
    say(state.debug, `no more heartbeats: ${error}`);
  }
}

/** Seconds until the next heartbeat; undefined: there is none. */
function delayAfter(state, status, retryAfter) {
  say(state.debug, `${state.url} answered ${status}`);
  if (status >= 200 && status < 300) {
    state.failures = 0;
    return state.interval;
  }
  if (FINAL.includes(status)) return say(state.debug, "the DSN is refused; no more heartbeats");
  if (!isNode && !state.interval) return undefined; // Browsers write every failure to the console.
  if ([429, 503].includes(status) && /^\d+$/.test(retryAfter?.trim() ?? "")) return clamp(Number(retryAfter));
  if (status === 429) return RATE_LIMITED_S;
  state.failures += 1;
  return Math.min(2 ** state.failures, MAX_BACKOFF_S) * (0.5 + Math.random() / 2);
}

/**
 * An envelope by a transport like the SDK's: made by the same function of the same options, so that its certificates,
 * proxy and tunnel hold. The SDK's own would report a heartbeat that nobody answers as a lost event, and at the end of
 * the program wait for somebody to take that report.
 */
async function postThroughSdk(state) {
  state.sender ??= await senderOf(state);
  const { transport, hold } = state.sender;
  const header = { sent_at: new Date().toISOString(), dsn: state.dsn, sdk: state.sdkOptions._metadata?.sdk };
  const letGo = hold(state.isFirst);
  let timer;
  try {
    const late = new Promise((_, reject) => (timer = setTimeout(reject, TIMEOUT_MS, new Error("timeout"))));
    timer.unref?.();
    const sent = transport.send([header, [[{ type: "heartbeat" }, state.body]]]);
    const { statusCode, headers } = (await Promise.race([sent, late])) ?? {};
    return { status: statusCode ?? 0, retryAfter: headers?.["retry-after"] };
  } catch (error) {
    say(state.debug, `not sent: ${error}`);
    return { status: 0 };
  } finally {
    clearTimeout(timer);
    letGo();
  }
}

async function senderOf({ url, key, sdkOptions }) {
  const { tunnel, transportOptions } = sdkOptions;
  const address = tunnel || `${url.replace(/heartbeat\/$/, "envelope/")}?sentry_version=7&sentry_key=${key}`;
  const { hold, ...ours } = isNode ? await sockets(address, transportOptions?.httpModule) : { hold: () => () => {} };
  const transport = sdkOptions.transport({ tunnel, recordDroppedEvent() {}, ...transportOptions, url: address, ...ours });
  return { transport, hold };
}

/**
 * What makes the requests of a Node.js transport, and knows their sockets: so they hold the process no longer than our
 * own would. `hold` is called before each request, and what it returns after it.
 */
async function sockets(address, httpModule) {
  const http = httpModule ?? (await builtin(new URL(address).protocol === "https:" ? "node:https" : "node:http"));
  const made = (await builtin("node:diagnostics_channel")).channel("net.client.socket");
  const open = new Set();
  let isHeld = false;
  let exit;
  const add = (socket) => {
    if (!open.has(socket)) open.add(socket.once("close", () => open.delete(socket))); // one that is kept alive comes again
    if (!isHeld) socket.unref();
  };
  const release = () => {
    clearInterval(exit);
    isHeld = false;
    for (const socket of open) socket.unref();
  };
  const request = (options, ...rest) => {
    watchProxy(options.agent, (connect) => {
      const seen = ({ socket }) => add(socket);
      made.subscribe(seen);
      try {
        return connect();
      } finally {
        made.unsubscribe(seen);
      }
    });
    const asked = http.request(options, ...rest);
    asked.on("socket", add);
    asked.on("finish", release); // written
    return asked;
  };
  const hold = (isFirst) => {
    isHeld = isFirst;
    if (isFirst) exit = patiently(() => letGo(open));
    return () => {
      release();
      for (const socket of open) if (!socket.destroyed && socket.connecting) socket.destroy();
    };
  };
  return { httpModule: { request }, hold };
}

/** Runs `watch` around each connection that an agent makes to a proxy: no request knows of it before it stands. */
function watchProxy(agent, watch) {
  const connect = agent?.connect;
  if (typeof connect !== "function" || agent.isWatched) return;
  agent.isWatched = true;
  agent.connect = (...args) => watch(() => connect.apply(agent, args));
}

/** The key goes into the query and the body is plain text: so no browser asks for permission first. */
async function postFromBrowser({ url, key, body, debug }) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), TIMEOUT_MS);
  try {
    const answer = await fetch(`${url}?sentry_version=7&sentry_key=${key}`, {
      method: "POST",
      body,
      keepalive: true,
      credentials: "omit",
      redirect: "manual",
      signal: abort.signal,
    });
    return { status: answer.status, retryAfter: answer.headers.get("Retry-After") };
  } catch (error) {
    say(debug, `not sent: ${error}`);
    return { status: 0 };
  } finally {
    clearTimeout(timer);
  }
}

/**
 * A plain socket: fetch and http keep the process alive as long as nobody answers, and what watches them would put
 * heartbeats among the application's own spans and breadcrumbs.
 */
async function postFromNode({ url, key, body, debug, isFirst }) {
  const { protocol, host, hostname, port, pathname } = new URL(url);
  const isSecure = protocol === "https:";
  const { connect } = await builtin(isSecure ? "node:tls" : "node:net");
  const bare = hostname.replace(/^\[|\]$/g, "");
  const servername = /^[\d.]+$|:/.test(bare) ? undefined : bare;
  const lines = [
    `POST ${pathname} HTTP/1.1`,
    `Host: ${host}`,
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `User-Agent: firstlight.javascript/${VERSION}`,
    `X-Sentry-Auth: Sentry sentry_version=7, sentry_key=${key}`,
  ];
  return new Promise((resolve) => {
    const socket = connect({ host: bare, port: Number(port) || (isSecure ? 443 : 80), servername });
    const exit = patiently(() => letGo([socket]));
    const timer = setTimeout(() => socket.destroy(new Error("timeout")), TIMEOUT_MS).unref();
    let answer = "";
    if (!isFirst) socket.unref();
    socket.setEncoding("latin1");
    socket.on("data", (data) => {
      answer += data;
      if (answer.includes("\r\n\r\n") || answer.length > 16_384) socket.destroy();
    });
    socket.on("error", (error) => say(debug, `not sent: ${error}`));
    socket.on("close", () => {
      clearInterval(exit);
      clearTimeout(timer);
      const [head] = answer.split("\r\n\r\n");
      const [, status] = /^HTTP\/1\.[01] (\d{3})\b/.exec(head) ?? [];
      const [, retryAfter] = /\r\nretry-after:([^\r\n]*)/i.exec(head) ?? [];
      resolve({ status: Number(status ?? 0), retryAfter });
    });
    socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`, () => {
      clearInterval(exit);
      socket.unref();
    });
  });
}

/** Does something when the process has waited long enough for its end, and from then on; returns the timer. */
function patiently(act) {
  let turns = 0;
  return setInterval(() => ++turns >= EXIT_TURNS && act(), EXIT_WAIT_MS / EXIT_TURNS).unref();
}

/** Lets the process end, if it wants to. A connection that is still being made holds it, whatever its socket says. */
function letGo(sockets) {
  for (const socket of sockets) socket.unref();
  const kinds = process.getActiveResourcesInfo?.() ?? ["unknown"];
  const handles = process._getActiveHandles?.() ?? [];
  const isIdle = kinds.every((kind) => /^(ConnectWrap|GetAddrInfoReqWrap|PipeWrap|TTYWrap)$/.test(kind));
  if (!isIdle || !handles.every(({ fd }) => fd === 1 || fd === 2)) return; // stdout and stderr hold nothing
  for (const socket of sockets) socket.destroy();
}

async function builtin(name) {
  return (
    process.getBuiltinModule?.(name) ??
    (await import(/* webpackIgnore: true */ /* turbopackIgnore: true */ /* @vite-ignore */ name))
  );
}

/** Where Sentry's SDKs keep what they share: 8 and newer by version, 7 at the top. */
function carrier() {
  const all = globalThis.__SENTRY__;
  return all?.[all.version] ?? all;
}

function currentClient() {
  const found = carrier();
  return found?.hub?.getClient?.() ?? found?.defaultCurrentScope?.getClient?.() ?? found?.globalScope?.getClient?.();
}

function sdkOf(options) {
  const { name, version } = options._metadata?.sdk ?? {};
  return name ? { name: text(name), version: text(version) } : { name: "firstlight.javascript", version: VERSION };
}

function runtime() {
  const versions = globalThis.process?.versions ?? {};
  const name = ["bun", "deno", "node"].find((each) => versions[each]);
  return name && { name, version: text(versions[name]) };
}

function config(options) {
  const all = { ...options._experiments, ...options }; // Where some were before they were options of their own.
  const rates = Object.entries(RATES).map(([from, to]) => [to, typeof all[from] === "boolean" ? Number(all[from]) : all[from]]);
  const flags = Object.entries(FLAGS).map(([from, to]) => [to, all[from]]);
  return Object.fromEntries([
    ...rates.filter(([, value]) => typeof value === "number" && value >= 0 && value <= 1),
    ...flags.filter(([, value]) => typeof value === "boolean"),
  ]);
}

/** The URL to post to and the key; undefined where it is no DSN. */
function parse(dsn) {
  const pattern =
    /^(https?):\/\/(\w+)(?::\w*)?@([\w.-]+|\[[\da-f:.]+\])(:\d{1,5})?((?:\/[\w.~%-]+)*)\/([1-9]\d{0,18})\/?$/i;
  const match = pattern.exec(typeof dsn === "string" ? dsn.trim() : "");
  if (!match) return undefined;
  const [, scheme, key, host, port = "", prefix, project] = match;
  const [start, rest] = [`${scheme.toLowerCase()}://`, `${host}${port}${prefix}`];
  return { url: `${start}${rest}/api/${project}/heartbeat/`, key, dsn: `${start}${key}@${rest}/${project}` };
}

function clamp(seconds) {
  return Math.min(Math.max(seconds, 1), 3600);
}

function text(value) {
  return value ? String(value).slice(0, 200) : undefined;
}

function say(debug, message) {
  if (debug) console.debug(`[firstlight] ${message}`);
}

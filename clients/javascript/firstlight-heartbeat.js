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
    beat({ ...target, body, interval, debug, failures: 0, isFirst: true });
  } catch (error) {
    say(debug, `no heartbeat: ${error}`);
  }
}

async function beat(state) {
  try {
    await null; // Whatever comes now, the caller has gone on.
    const { status, retryAfter } = await (isNode ? postFromNode(state) : postFromBrowser(state));
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
    const exit = setInterval(() => letGo(socket), EXIT_WAIT_MS).unref();
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

/** Lets the process end, if it wants to. A connection that is still being made holds it, whatever its socket says. */
function letGo(socket) {
  socket.unref();
  const kinds = process.getActiveResourcesInfo?.() ?? ["unknown"];
  const handles = process._getActiveHandles?.() ?? [];
  const isIdle = kinds.every((kind) => /^(ConnectWrap|GetAddrInfoReqWrap|PipeWrap|TTYWrap)$/.test(kind));
  if (isIdle && handles.every(({ fd }) => fd === 1 || fd === 2)) socket.destroy(); // stdout and stderr hold nothing
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
  return { url: `${scheme.toLowerCase()}://${host}${port}${prefix}/api/${project}/heartbeat/`, key };
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

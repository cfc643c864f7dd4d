/** When the link tries again, and by which way. The browser is a toy here: time passes when the test says so. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { backoff, Connection } from "./static/core/connection.js";

class World {
  sockets = [];
  sources = [];
  timers = new Map();
  now = 0;
  status = 200;
  random = 0.5;

  constructor() {
    const link = (list) =>
      class {
        constructor(url) {
          this.url = url;
          this.sent = [];
          this.handlers = {};
          list.push(this);
        }
        send(text) {
          this.sent.push(JSON.parse(text));
        }
        addEventListener(name, handler) {
          this.handlers[name] = handler;
        }
        close() {
          this.closed = true;
        }
        say(message) {
          (this.onmessage ?? this.handlers.message)({ data: JSON.stringify(message) });
        }
      };
    this.WebSocket = link(this.sockets);
    this.EventSource = link(this.sources);
    this.Math = { random: () => this.random };
    this.Date = { now: () => this.now };
    this.fetch = async () => {
      if (!this.status) throw new TypeError("no answer");
      return { status: this.status };
    };
  }

  setTimeout(call, delay) {
    const id = Symbol("timer");
    this.timers.set(id, { call, due: this.now + delay });
    return id;
  }

  clearTimeout(id) {
    this.timers.delete(id);
  }

  /** The first timer that is due by then. */
  #next(end) {
    return [...this.timers].filter(([, { due }]) => due <= end).sort(([, a], [, b]) => a.due - b.due)[0];
  }

  async pass(milliseconds) {
    await settled();
    const end = this.now + milliseconds;
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.timers.delete(next[0]);
      this.now = next[1].due;
      next[1].call();
      await settled();
    }
    this.now = end;
    await settled();
  }

  get socket() {
    return this.sockets.at(-1);
  }
}

/** Lets whatever is awaited go on. */
const settled = () => new Promise((done) => setImmediate(done));

function connect(token = null) {
  const [world, messages, links] = [new World(), [], []];
  const tell = { message: (message, fresh) => messages.push([message, fresh]), link: (link) => links.push(link) };
  const connection = new Connection(new URL("http://here/live/1"), token, tell, world);
  connection.start();
  return { world, messages, links, connection, last: () => links.at(-1) };
}

const SNAPSHOT = { type: "snapshot", epoch: "a", version: 1 };

test("full jitter under a ceiling that doubles up to 5 s, and after some minutes to 30 s", () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 59, 60, 99].map((attempt) => backoff(attempt, 1)),
    [1e3, 2e3, 4e3, 5e3, 5e3, 5e3, 30e3, 30e3],
  );
  assert.equal(backoff(5, 0), 0);
});

test("the token travels in the first message and not in the URL", () => {
  const { world } = connect("secret");
  assert.equal(world.socket.url, "ws://here/live/1/ws");
  world.socket.onopen();
  assert.deepEqual(world.socket.sent, [{ type: "auth", token: "secret" }]);
});

test("only the first snapshot of each link is fresh", async () => {
  const { world, messages } = connect();
  for (let i = 0; i < 2; i++) world.socket.say(SNAPSHOT);
  world.socket.onclose({ code: 1006 });
  await world.pass(1_000);
  world.socket.say(SNAPSHOT);
  assert.deepEqual(
    messages.map(([, fresh]) => fresh),
    [true, false, true],
  );
});

test("live only after the first snapshot, and again after each loss", async () => {
  const { world, last } = connect();
  assert.equal(last().state, "connecting");
  world.socket.say(SNAPSHOT);
  assert.equal(last().state, "live");
  world.socket.onclose({ code: 1012 });
  assert.equal(last().state, "waiting");
  assert.equal(last().retryAt, 500);
  await world.pass(500);
  assert.equal(last().state, "connecting");
  world.socket.say(SNAPSHOT);
  assert.equal(last().state, "live");
});

test("a goodbye says when to come back", async () => {
  const { world, last } = connect();
  world.socket.say(SNAPSHOT);
  world.socket.say({ type: "goodbye", retry_in: 3.2 });
  assert.equal(world.sockets[0].closed, true);
  assert.equal(last().retryAt, 3_200);
  await world.pass(3_199);
  assert.equal(world.sockets.length, 1);
  await world.pass(1);
  assert.equal(world.sockets.length, 2);
});

test("a refusal for good is not asked again", async () => {
  for (const [code, reason] of [
    [4401, "unauthorized"],
    [4403, "forbidden"],
    [4404, "missing"],
    [1008, "refused"],
    [1009, "refused"],
    [4499, "refused"],
  ]) {
    const { world, last } = connect();
    world.socket.onclose({ code });
    assert.deepEqual(last(), { state: "stopped", reason });
    await world.pass(3_600_000);
    assert.equal(world.sockets.length, 1);
  }
});

test("a project that was shown and is missing may come back for a minute", async () => {
  const { world, last } = connect();
  world.socket.say(SNAPSHOT);
  world.status = 404;
  world.socket.onclose({ code: 4404 });
  assert.equal(last().state, "waiting");
  await world.pass(2_000);
  world.socket.onclose({ code: 4404 });
  assert.equal(last().state, "waiting");
  await world.pass(2_000);
  world.socket.say(SNAPSHOT);
  assert.equal(last().state, "live");
  world.socket.onclose({ code: 4404 });
  await world.pass(60_000);
  world.socket.onclose({ code: 4404 });
  assert.deepEqual(last(), { state: "stopped", reason: "missing" });
});

test("whatever else closes a link, it comes back", async () => {
  for (const code of [1000, 1001, 1005, 1006, 1011, 1012, 1013, 4399, 4500, undefined]) {
    const { world, last } = connect();
    world.socket.onclose({ code });
    assert.equal(last().state, "waiting", String(code));
    await world.pass(60_000);
    assert.ok(world.sockets.length > 1, String(code));
  }
});

test("where it never opened, an answer of HTTP says whether to stop", async () => {
  for (const [status, reason] of [
    [401, "unauthorized"],
    [403, "forbidden"],
    [404, "missing"],
    [429, undefined],
    [500, undefined],
  ]) {
    const { world, last } = connect();
    world.status = status;
    world.socket.onclose({ code: 1006 });
    await world.pass(0);
    assert.equal(last().reason, reason, String(status));
  }
});

test("a link that falls silent is given up", async () => {
  const { world, last } = connect();
  world.socket.say(SNAPSHOT);
  await world.pass(15_000);
  world.socket.say({ type: "ping" });
  await world.pass(15_000);
  assert.equal(last().state, "live");
  await world.pass(1_001);
  assert.equal(world.sockets[0].closed, true);
  assert.notEqual(last().state, "live");
});

test("an attempt that never gets anywhere is given up", async () => {
  const { world } = connect();
  await world.pass(16_000);
  assert.equal(world.sockets[0].closed, true);
  assert.equal(world.sockets.length, 2);
});

test("where only WebSockets fail, Server-Sent Events take over", async () => {
  const { world, last } = connect();
  for (let i = 0; i < 2 && !world.sources.length; i++) {
    world.socket.onclose({ code: 1006 });
    await world.pass(10_000);
  }
  assert.equal(world.sources.length, 1);
  world.sources[0].say(SNAPSHOT);
  assert.equal(last().state, "live");
});

test("where everything fails, it stays with WebSockets", async () => {
  const { world } = connect();
  [world.status, world.random] = [0, 0];
  for (let i = 0; i < 6; i++) {
    world.socket.onclose({ code: 1006 });
    await world.pass(1);
  }
  assert.equal(world.sources.length, 0);
  assert.equal(world.sockets.length, 7);
});

test("a message of a link that is lost is nobody's business", async () => {
  const { world, messages } = connect();
  const old = world.socket;
  old.onclose({ code: 1006 });
  await world.pass(1_000);
  old.say(SNAPSHOT);
  old.onclose({ code: 4404 });
  assert.equal(messages.length, 0);
});

test("what is no message does no harm", () => {
  const { world, messages } = connect();
  for (const data of ["", "no JSON", "null", "[]", "7", "{}"]) world.socket.onmessage({ data });
  assert.equal(messages.length, 0);
});

test("trying now does not wait, and does not double", async () => {
  const { world, connection } = connect();
  world.socket.onclose({ code: 1006 });
  connection.retryNow();
  connection.retryNow();
  await world.pass(2_000);
  assert.equal(world.sockets.length, 2);
});

// What nchan does, on Socket.IO: a body that is POSTed to /pub/<channel> goes to all who watch the channel, on every
// server, by way of Redis. Who comes later is sent the newest one. Tuned as socket.io/docs/v4/performance-tuning and
// /memory-usage say: WebSocket only, bufferutil, no request kept; and the adapter that is recommended for Redis 7.
import { createServer } from "node:http";
import { createShardedAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [port, url] = process.argv.slice(2);
const publisher = createClient({ url });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const newest = new Map();
const http = createServer(publish);
http.keepAliveTimeout = 75_000;
const io = new Server(http, {
  adapter: createShardedAdapter(publisher, subscriber, { subscriptionMode: "static" }),
  transports: ["websocket"],
  serveClient: false,
});
io.on("connection", (socket) => {
  const { channel } = socket.handshake.query;
  socket.conn.request = null;
  socket.join(channel);
  if (newest.has(channel)) socket.emit("state", newest.get(channel));
});

function publish(request, response) {
  if (request.method !== "POST" || !request.url.startsWith("/pub/")) return;
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const [channel, body] = [request.url.slice(5), Buffer.concat(parts).toString()];
    newest.set(channel, body);
    io.to(channel).emit("state", body);
    response.writeHead(202, { "content-length": 2 });
    response.end("{}");
  });
}

http.listen(Number(port), "127.0.0.1");

// An application with a heartbeat client: `node app.mjs MODE DSN [INTERVAL]`.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [mode, dsn, interval] = process.argv.slice(2);
const { CA, PROXY, TUNNEL } = process.env;
const require = createRequire(import.meta.url);
const sdk = process.env.SDK && require(process.env.SDK);

sdk?.init({
  dsn,
  release: ["run", "error"].includes(mode) ? "shop@1.4.0" : undefined, // with one, the SDK has much to say at the end
  environment: "staging",
  tracesSampleRate: 0.25,
  enableLogs: true,
  tunnel: TUNNEL,
  transportOptions: { ...(CA && { caCerts: readFileSync(CA) }), ...(PROXY && { proxy: PROXY }) },
  beforeSend(event) {
    console.log("crumbs", JSON.stringify(event.breadcrumbs ?? []));
    return null;
  },
});

const [computed, started] = [process.cpuUsage().user, performance.now()];
if (mode !== "none") {
  const { start } = await import(process.env.CLIENT);
  start(sdk ? undefined : dsn, { interval: Number(interval || undefined) });
}
if (mode === "time") console.log((process.cpuUsage().user - computed) / 1000, performance.now() - started);
if (mode === "run" || mode === "error") {
  process.stdin.on("data", async () => {
    if (mode === "error") {
      sdk.captureException(new Error("an error of the application"));
      await sdk.flush(500);
    }
    process.exit();
  });
}

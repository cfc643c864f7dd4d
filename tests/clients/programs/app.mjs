// An application with a heartbeat client: `node app.mjs MODE DSN [INTERVAL]`.
import { createRequire } from "node:module";

const [mode, dsn, interval] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const sdk = process.env.SDK && require(process.env.SDK);

sdk?.init({
  dsn,
  release: "shop@1.4.0",
  environment: "staging",
  tracesSampleRate: 0.25,
  enableLogs: true,
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

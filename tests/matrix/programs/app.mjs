// An application with Sentry's SDK for Node.js, 7 or newer: `node app.mjs SCENARIO DSN`.
import { createRequire } from "node:module";

const [scenario, dsn] = process.argv.slice(2);
const Sentry = createRequire(import.meta.url)(process.env.SDK);
const options = {
  release: { release: "shop@1.4.0" },
  tracing: { tracesSampleRate: 1 },
  logs: { enableLogs: true },
  dropped: { beforeSend: () => null },
};
Sentry.init({ dsn, ...options[scenario] });

const error = new Error("an error of the application");
const scenes = {
  error() {
    setTimeout(() => {
      throw error;
    });
  },
  message: () => Sentry.captureMessage("hello"),
  tracing: () => Sentry.startSpan({ name: "checkout", op: "task" }, () => {}),
  logs: () => Sentry.logger.info("hello"),
  dropped: () => Sentry.captureException(error),
  exit: () => Sentry.captureException(error),
  cut() {
    Sentry.captureException(error);
    process.exit();
  },
};
scenes[scenario]?.();

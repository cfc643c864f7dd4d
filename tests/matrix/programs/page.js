// A page with Sentry's SDK for browsers, 7 or newer: `?scenario=…&dsn=…`. It says `done` when it has nothing left to do.
import * as Sentry from "@sentry/browser";

const query = new URLSearchParams(location.search);
const scenario = query.get("scenario");
const options = {
  release: { release: "shop@1.4.0" },
  tracing: { tracesSampleRate: 1, integrations: [Sentry.browserTracingIntegration()] },
  logs: { enableLogs: true },
  dropped: { beforeSend: () => null },
};
Sentry.init({ dsn: query.get("dsn"), ...options[scenario] });

const error = new Error("an error of the application");
const scenes = {
  error() {
    throw error;
  },
  message: () => Sentry.captureMessage("hello"),
  logs: () => Sentry.logger.info("hello"),
  dropped: () => Sentry.captureException(error),
  exit() {
    Sentry.captureException(error);
    location.replace("about:blank");
  },
};
setTimeout(() => (document.title = "done"));
setTimeout(() => scenes[scenario]?.());

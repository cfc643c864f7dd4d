/** What passes between the rooms. Written for the type checker alone: no page loads this file. */

import type en from "../messages/en.json";

/** All that the pages say in one language. The words of problems may be missing; the server says them, too. */
export type Messages = Omit<typeof en, "problems"> & {
  problems?: Record<string, ProblemWords>;
  /** What platforms say of themselves, by the English; English itself has none. */
  notes?: Record<string, string>;
};

/** A sentence with gaps as `{name}`; or one for each of the language's forms of `{count}`. */
export type Template = string | Partial<Record<Intl.LDMLPluralRule, string>>;

export interface ProblemWords {
  /** What happened. `{name}` is filled from what the server itself found out. */
  summary: Template;
  hint: Template;
  /** What to look at, by the names that the server sends. */
  checks?: Record<string, Template>;
}

export type Stage = "awaiting" | "connected" | "first_error_received";
export type Liveness = "never" | "live" | "quiet" | "seen";

export interface Frame {
  function?: string | null;
  filename?: string | null;
  lineno?: number | null;
  in_app?: boolean | null;
  context_line?: string | null;
}

export interface FirstError {
  title?: string | null;
  level?: string | null;
  culprit?: string | null;
  handled?: boolean | null;
  received_at?: string | null;
  url?: string | null;
  frames?: Frame[] | null;
  /** What its stack lacks to be read; null where that is not judged. */
  lacks?: Lack[] | null;
}

export interface Lack {
  code: string;
  fix?: string | null;
  /** Whether a later error lacks it no longer. */
  mended: boolean;
}

/** A request, or several of which the same is said; much of it is null for what came without a valid key. */
export interface Arrival {
  at: string;
  endpoint: string | null;
  status: number | null;
  source: "app" | "page" | "command" | "probe" | null;
  sdk: { name: string; version?: string | null } | null;
  size: number | null;
  items: string[];
  /** Why, as a problem's code. */
  refused: string | null;
  count: number | null;
  event_id: string | null;
  url: string | null;
}

export interface Environment {
  name: string;
  first_at: string;
  last_at: string;
  has_error: boolean;
}

export interface Signal {
  first_at?: string | null;
  last_at?: string | null;
}

export interface Feature {
  name: string;
  state: "received" | "configured" | "off";
  first_at?: string | null;
  inferred?: boolean;
}

export interface Problem {
  code: string;
  /** What sort of thing is wrong, for programs. */
  kind?: string;
  severity: "error" | "warning" | "note";
  summary: string;
  hint: string;
  checks?: string[] | null;
  /** Of the checks, in their order; null where the words are the platform's. */
  check_names?: (string | null)[] | null;
  fix?: string | null;
  docs?: string | null;
  evidence?: Record<string, unknown> | null;
  /** The same as numbers and codes, where it is more than a name. */
  values?: Record<string, unknown> | null;
  count: number;
  first_at: string;
  last_at: string;
  resolved: boolean;
  /** Null while it is open. */
  resolved_at?: string | null;
}

/** What an SDK dropped. */
export interface Dropped {
  count: number;
  category: string;
  reason: string;
}

/** A signal that was not the app's, and shows that the way works. */
export interface CheckedBy {
  source: "page" | "command" | "probe";
  signal: string;
  at: string;
}

/** The whole onboarding state of a project, with what was null or absent filled in. */
export interface Snapshot {
  type: "snapshot";
  epoch: string;
  version: number;
  now?: string;
  stage: Stage;
  /** Since when somebody waits, by the server's clock. */
  watched_at?: string;
  connected_at?: string;
  connected_by?: string;
  checked_at?: string;
  checked_by?: CheckedBy;
  first_error?: FirstError;
  liveness: { state: Liveness; last_seen_at?: string | null; interval?: number | null };
  sdk: { name?: string | null; version?: string | null };
  app: { release?: string | null; environment?: string | null; runtime?: string | null };
  config: Record<string, unknown>;
  features: Feature[];
  signals: Record<string, Signal>;
  /** Empty also where the server keeps no list. */
  arrived: Arrival[];
  environments: Environment[];
  lacks_production?: boolean;
  run?: Run | null;
  problems: Problem[];
}

/** A step of a verification run: what is said, and what proves it. */
export interface RunStep {
  step: "installed" | "configured" | "started" | "error_sent";
  claimed_at?: string | null;
  said?: string | null;
  proved_at?: string | null;
  unmarked_at?: string | null;
}

export interface Run {
  marker: string;
  steps: RunStep[];
}

/** What the server sends. Nothing of it is trusted to be there but the type. */
export interface Message {
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: it comes from outside; `tidy` makes a snapshot of it
  [field: string]: any;
}

export type LinkName = "live" | "delayed" | "reconnecting" | "offline" | "stopped";
export type StopReason = keyof Messages["link"]["reasons"];

export interface Link {
  state: "idle" | "connecting" | "live" | "waiting" | "stopped";
  /** Whether this is not the first try. */
  again?: boolean;
  offline?: boolean;
  retryAt?: number;
  reason?: StopReason;
}

export interface Project {
  id: string;
  name: string;
  platform?: string | null;
  dsn?: string | null;
  created_at?: string | null;
  /** Only for who may see them. */
  keys?: { key: string; enabled: boolean }[];
}

export interface State {
  project: Project | null;
  snapshot: Snapshot | null;
  link: Link;
  delayed: boolean;
  /** Server clock minus ours, in ms: relative times survive a wrong clock here. */
  skew: number;
  /** Problems that only this browser can see, such as an ad blocker. */
  own: Problem[];
  /** What durations are counted from. */
  since: { at: number; what: "opened" | "reset" };
}

/** A step of the spine: whether its code is wanted now, and what proves that it is done. */
export interface SpineStep {
  name: StepName;
  /** `brief`: to be done, and so short that its line holds all of it. */
  state: "open" | "done" | "ahead" | "broken" | "brief";
  proof: string;
}

/** What a page is in the mood of, and which icon its tab has. */
export type Mood = Stage | "problem" | "stopped";

/** What a page says first. */
export interface Headline {
  mood: Mood;
  text: string;
  /** What to do; of a first error, its title. */
  line: string;
  /** What is known; may be empty. */
  detail: string;
  /** The tab's title. */
  tab: string;
}

export type PageEvent =
  | { message: Message; fresh?: boolean; at: number }
  | { link: Link }
  | { project: Project | null }
  | { own: Problem[] };

export interface News {
  stage: Stage | null;
  raised: Problem[];
  resolved: Problem[];
}

/** What a DSN stands for, and what fills the gaps of code to copy. */
export interface Target {
  dsn: string;
  key: string;
  project: string;
  server: string;
  ingest: string;
}

export interface Platform {
  id: string;
  name: string;
  language: string;
  /** Of the list that it stands in. */
  group?: string;
  keywords?: string[];
  match: string[];
}

/** Code to copy. */
export interface Snippet {
  code?: string | string[];
  language?: string;
  file?: string;
  note?: string;
  /** The file of features that its slots are filled from, where it is not the platform's. */
  features?: string;
}

/** What a feature adds to a platform's code. */
export interface Turned {
  note?: string;
  /** Why this platform cannot have it. */
  never?: string;
  install?: string[];
  imports?: string[];
  options?: string[];
  /** Of the SDKs for JavaScript: they stand in one list. */
  integrations?: string[];
  start?: string[];
  /** What to call, anywhere in the app; in which file, where that matters. */
  calls?: string[];
  file?: string;
}

export type Table = Record<string, Turned>;

/** A platform's file as it is written: its code has slots. */
export interface WrittenFile {
  steps: Record<StepName, Step>;
  features: string;
  /** Features that it has in its own way. */
  own?: Table;
  checked?: Checked | null;
}

export type StepName = "install" | "configure" | "error";

/** Some platforms want a second file. */
export type Step = Snippet & { also?: Snippet[] };

export interface PlatformFile {
  steps: Record<StepName, Step>;
  /** The file of what turns features on. */
  features: string;
  /** When and how its code was tried; a platform that a product added may not say. */
  checked?: Checked | null;
}

export interface Checked {
  /** Of the SDK, with its name. */
  version: string;
  /** ISO 8601, a day. */
  date: string;
  how: "run" | "parsed" | "read";
}

/** What a probe saw: an answer, or why there was none. Never both. */
export interface Facts {
  failed?: boolean;
  timedOut?: boolean;
  status?: number;
  opaque?: boolean;
  ms?: number;
  sentAt?: number;
  // biome-ignore lint/suspicious/noExplicitAny: it comes from outside
  json?: any;
  headers?: Headers;
}

export interface Circumstances {
  passed: boolean;
  offline: boolean;
  behindTls: boolean;
  csp: boolean;
  mixed: boolean;
  away: boolean;
  ownAnswers: boolean;
  hostAnswers: boolean;
  opaqueAnswers: boolean;
}

export type Cause = keyof Messages["check"]["causes"];

/** One row of the check: passed, failed or not tried. */
export interface Result {
  ok: boolean | null;
  text: string;
  time: string;
  fix?: string;
}

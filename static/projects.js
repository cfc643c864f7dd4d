/** The start page: makes a project, or leads to one of the existing. */

import { $, el, setText } from "./dom.js";
import { Picker } from "./picker.js";
import { platformIndex } from "./platforms.js";
import { ago, exact } from "./words.js";

const root = new URL("../", import.meta.url);

/** Kept in memory only: it opens every project. */
let adminToken = null;
let next = null;
let platforms = [];

async function api(path, options = {}) {
  const headers = { ...(adminToken && { Authorization: `Bearer ${adminToken}` }), ...options.headers };
  return fetch(new URL(path, root), { ...options, headers });
}

/** Another page needs its own, smaller permission; the admin token stays here. */
async function go(id) {
  const target = new URL(`onboarding/${id}`, root);
  if (adminToken) {
    const body = JSON.stringify({ scope: "owner" });
    const answer = await api(`projects/${id}/tokens`, { method: "POST", body });
    if (answer.ok) target.hash = `token=${(await answer.json()).token}`;
  }
  location.assign(target);
}

async function list() {
  const query = next ? `?after=${encodeURIComponent(next)}` : "";
  const answer = await api(`projects${query}`);
  const locked = answer.status === 401 || answer.status === 403;
  $("gate").hidden = !locked;
  $("create").hidden = locked;
  if (!answer.ok) return answer.status;
  const page = await answer.json();
  next = page.next;
  $("projects").append(...page.projects.map(row));
  $("existing").hidden = $("projects").childElementCount === 0;
  $("more").hidden = !next;
  return answer.status;
}

function row(project) {
  const created = Date.parse(project.created_at);
  const platform = platforms.find(({ id }) => id === project.platform)?.name ?? project.platform;
  const about = [platform, ago(created, Date.now())].filter(Boolean).join(" · ");
  const link = el(
    "a",
    { href: new URL(`onboarding/${project.id}`, root).href },
    el("span", { class: "name", dir: "auto", text: project.name, title: project.name }),
    el("span", { class: "meta", title: exact(created), text: about }),
    el("span", { class: "meta", "aria-hidden": "true", text: "→" }),
  );
  link.addEventListener("click", (event) => {
    if (!adminToken || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    go(project.id);
  });
  return el("li", { "data-project": project.id }, link);
}

async function create(picker) {
  const body = { name: $("name").value.trim(), platform: picker.picked?.id ?? null };
  const headers = { "Content-Type": "application/json" };
  const answer = await api("projects", { method: "POST", headers, body: JSON.stringify(body) });
  if (answer.ok) return go((await answer.json()).id);
  const told = await answer.json().catch(() => null);
  throw new Error(told?.detail ?? `The server answered ${answer.status}.`);
}

function wireCreate(picker) {
  $("create").addEventListener("submit", async (event) => {
    event.preventDefault();
    $("submit").disabled = true;
    say($("create-error"), "");
    try {
      await create(picker);
    } catch (error) {
      say($("create-error"), error instanceof TypeError ? "The server did not answer. Try again." : error.message);
    }
    $("submit").disabled = false;
  });
}

function wireUnlock() {
  $("unlock").addEventListener("submit", async (event) => {
    event.preventDefault();
    adminToken = $("token").value;
    const status = await list().catch(() => null);
    if (status === 200) $("token").value = "";
    else adminToken = null;
    const refused = status === null ? "The server did not answer." : "That is not the token of this server.";
    say($("unlock-error"), status === 200 ? "" : refused);
  });
}

function say(node, text) {
  setText(node, text);
  node.hidden = !text;
}

async function main() {
  platforms = await platformIndex();
  const picker = new Picker($("picker"), platforms, platforms[0], () => {});
  wireCreate(picker);
  wireUnlock();
  $("more").addEventListener("click", () => list());
  await list();
}

main();

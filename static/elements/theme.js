/** Light or dark: as the system has it, until somebody chooses; the choice is kept in this browser. */

/** @typedef {"light" | "dark"} Choice */

const MEMORY = "firstlight.theme";

export class Theme {
  #root = document.documentElement;
  #system = matchMedia("(prefers-color-scheme: dark)");

  /** @param {HTMLElement} button see `theme.html` */
  constructor(button) {
    const kept = recall();
    if (kept === "light" || kept === "dark") this.#root.dataset.theme = kept;
    button.addEventListener("click", () => this.#turn());
  }

  #turn() {
    const isDark = (this.#root.dataset.theme ?? (this.#system.matches ? "dark" : "light")) === "dark";
    const next = isDark ? "light" : "dark";
    // Who turns back to what the system has follows the system again.
    const isOwn = (next === "dark") !== this.#system.matches;
    if (isOwn) this.#root.dataset.theme = next;
    else delete this.#root.dataset.theme;
    keep(isOwn ? next : null);
  }
}

/** Storage can be forbidden; then a choice lasts as long as the page. */
function recall() {
  try {
    return localStorage.getItem(MEMORY);
  } catch {
    return null;
  }
}

/** @param {Choice | null} theme */
function keep(theme) {
  try {
    if (theme) localStorage.setItem(MEMORY, theme);
    else localStorage.removeItem(MEMORY);
  } catch {
    return;
  }
}

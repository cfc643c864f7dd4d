/** The switch of languages: the choice is kept in this browser, and the server answers in it from then on. */

const YEAR = 365 * 24 * 60 * 60;

export class Language {
  /**
   * @param {HTMLSelectElement} select see `language.html`
   * @param {URL} root where this server's pages are
   */
  constructor(select, root) {
    // After "back", a browser may remember what was selected there before.
    select.value = document.documentElement.lang;
    select.disabled = false;
    select.addEventListener("change", () => {
      // A cookie, as the page is written by the server: with the browser's storage it would come in the wrong language
      // first. It holds a language's tag and nothing of a person.
      // biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API needs TLS, which a local server has not
      document.cookie = `firstlight_language=${select.value}; path=${root.pathname}; max-age=${YEAR}; samesite=lax`;
      location.reload();
    });
  }
}

/** The page for an address that does not exist: its words are the server's, so only the two switches need a script. */

import { part } from "../elements/dom.js";
import { Language } from "../elements/language.js";
import { Theme } from "../elements/theme.js";

function main() {
  new Theme(part(document, "theme"));
  new Language(part(document, "tongue", HTMLSelectElement), new URL("../../", import.meta.url));
}

main();

/** "Start over": asks, then lets the project wait for its first signal again. */

import { $, el, setText } from "./dom.js";

/**
 * @param {function(): Promise<Response>} reset
 * @param {function(object)} done gets the new snapshot
 */
export function confirmStartOver(reset, done) {
  const leave = (result = "") => {
    question.remove();
    $("start-over").hidden = false;
    $("start-over").focus();
    setText($("over-result"), result);
  };
  const no = el("button", { class: "quiet", id: "confirm-no", text: "Keep it" });
  const yes = el("button", { id: "confirm-yes", text: "Start over" });
  const text = el("p", { id: "confirm-text", text: "Forget what was received, and wait for a first signal again? The key stays." });
  const question = el("div", { class: "confirm", role: "group", "aria-labelledby": "confirm-text" }, text, yes, no);
  no.addEventListener("click", () => leave());
  question.addEventListener("keydown", ({ key }) => key === "Escape" && leave());
  yes.addEventListener("click", async () => leave(await run(reset, done)));
  $("start-over").hidden = true;
  $("start-over").after(question);
  no.focus();
}

/** Why it could not be done, if so. */
async function run(reset, done) {
  const answer = await reset().catch(() => null);
  if (!answer) return "The server did not answer.";
  if (answer.status === 401 || answer.status === 403) return "Only the owner of the project can do that.";
  if (!answer.ok) return `The server answered ${answer.status}.`;
  done(await answer.json());
}

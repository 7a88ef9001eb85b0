// The attempts of an invocation: bars in one row of the timeline, and a list that says who ran each of them, for
// how long, and why it ended. The API keeps the last 50.

import { h, reconcile } from "./dom.js";
import { millis, moment, span } from "./format.js";
import { failureText } from "./value.js";

export const ATTEMPTS_MAX = 50;
const SHOWN = 10;
const FINAL = new Set(["completed", "failed", "cancelled"]);

/** Why an attempt ended, in one word; "running" until then. */
export function endWord(it) {
  return (it.end ?? "").replace("ATTEMPT_END_", "").toLowerCase() || "running";
}

/** Whether the attempts say more than the invocation itself. */
export function areWorthShowing(attempts) {
  return attempts.length > 1 || attempts.some((it) => it.end && !FINAL.has(endWord(it)));
}

/** Draws a bar for each attempt into a track; `place` gives a bar its place between two times. */
export function drawAttempts(track, attempts, now, place) {
  reconcile(
    track,
    attempts,
    (it) => it.attempt,
    () => h("i", {}),
    (bar, it) => {
      const word = endWord(it);
      const end = millis(it.endTime);
      bar.className = `bar attempt ${word}`;
      bar.title = [`attempt ${it.attempt}: ${word}`, it.failure && failureText(it.failure), `${moment(millis(it.startTime))} – ${it.end ? moment(end) : "now"}`].filter(Boolean).join("\n");
      place(bar, millis(it.startTime), it.end ? end : now);
    },
  );
}

/** The list of attempts, latest first. */
export function attemptList(attempts) {
  const shown = attempts.slice(-SHOWN).reverse();
  const earlier = shown.at(-1).attempt - 1;
  return [
    h("ol", { class: "attempts" }, shown.map(line)),
    earlier > 0 && h("p", { class: "faint" }, `${earlier} earlier; durable describe shows what is kept of them.`),
  ];
}

function line(it) {
  const word = endWord(it);
  const began = millis(it.startTime);
  const facts = [
    ["began", moment(began)],
    ["took", it.end && span(millis(it.endTime) - began)],
    ["run", it.run > 1 && String(it.run)],
    ["build", it.buildId],
    ["version", it.version],
    ["worker", it.workerId],
  ].filter(([, value]) => value);
  return h(
    "li",
    { data: { end: word } },
    h("p", {}, h("span", { class: "number" }, String(it.attempt)), h("span", { class: `end ${word}` }, word), it.failure && h("bdi", { class: "why" }, failureText(it.failure))),
    h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, h("bdi", {}, value))))),
  );
}

// Payloads, failures and outcomes for people. A large value is cut until the user asks for all of it: a value
// may have a megabyte.

import { decoded, endpoint, isEncoded, keyId } from "./codec.js";
import { fill, h } from "./dom.js";
import { count } from "./format.js";
import { pretty, problem } from "./json.js";

const SHOWN_CHARACTERS = 20_000;
const COLOURED_CHARACTERS = 200_000; // each coloured token is an element

function bytes(base64) {
  return Uint8Array.from(atob(base64 ?? ""), (it) => it.charCodeAt(0));
}

/** A JSON text as a payload of the API. */
export function payload(json) {
  const data = new TextEncoder().encode(json);
  let binary = "";
  for (const it of data) binary += String.fromCharCode(it);
  return { contentType: "application/json", data: btoa(binary) };
}

/** The text of a payload that is JSON; null for another one. */
export function valueText(it) {
  if (!(it.contentType || "application/json").startsWith("application/json")) return null;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes(it.data));
  } catch {
    return null;
  }
}

/** A payload: its kind, its size and its content. */
export function payloadView(it) {
  if (!it) return h("p", { class: "faint" }, "none");
  return isEncoded(it) ? encodedView(it) : plainView(it);
}

// An encoded payload: the value, as soon as the codec endpoint has decoded it.
function encodedView(it) {
  const id = keyId(it);
  const facts = [id ? `encrypted with the key ${id}` : it.contentType];
  if (!endpoint()) return plainView(it, facts);
  const box = h("div", { class: "value" }, h("p", { class: "faint" }, "Being decoded…"));
  decoded(it).then(
    (payload) => fill(box, plainView(payload, facts)),
    (error) => fill(box, h("p", { class: "form-error" }, error.message), plainView(it, facts)),
  );
  return box;
}

function plainView(it, more = []) {
  const data = bytes(it.data);
  const kind = it.contentType || "application/json";
  const json = kind.startsWith("application/json");
  let words = null;
  if (json || kind.startsWith("text/")) {
    try {
      words = new TextDecoder("utf-8", { fatal: true }).decode(data);
    } catch {
      // Not UTF-8, although its content type is text: shown as base64.
    }
  }
  const facts = [words === null || !json ? kind : "JSON", `${count(data.length)} B`, ...more];
  for (const [name, value] of Object.entries(it.metadata ?? {})) facts.push(`${name}: ${value}`);
  if (words === null) {
    facts.push("base64");
    return block(facts, it.data ?? "", false);
  }
  return block(facts, words, json && problem(words) === "");
}

function block(facts, words, json) {
  const body = h("pre", { tabindex: "0" });
  const foot = h("div", { class: "value-foot" }, h("span", {}, facts.join(" · ")));
  if (navigator.clipboard) foot.append(copyButton(words));
  const coloured = json && words.length <= COLOURED_CHARACTERS;
  const all = () => fill(body, coloured ? pretty(words) : words);
  if (words.length <= SHOWN_CHARACTERS) all();
  else {
    body.append(`${words.slice(0, SHOWN_CHARACTERS)}…`);
    const more = h("button", { type: "button", class: "small" }, "Show all");
    more.addEventListener("click", () => {
      all();
      more.remove();
    });
    foot.append(more);
  }
  return h("div", { class: "value" }, body, foot);
}

/** A button that copies a text. */
export function copyButton(words, label = "Copy") {
  const button = h("button", { type: "button", class: "small quiet" }, label);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(words);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

/** A failure with its causes; `why` is why it is final, where that is known. */
export function failureView(it, why = "") {
  const facts = [];
  if (it.code) facts.push(`code ${it.code}`);
  if (why) facts.push(why);
  for (const [name, value] of Object.entries(it.metadata ?? {})) facts.push(`${name}: ${value}`);
  return h(
    "div",
    { class: "failure" },
    h("p", { class: "failure-head" }, h("b", {}, it.type || "Failure"), it.message ? `: ${it.message}` : ""),
    facts.length > 0 && h("p", { class: "faint" }, facts.join(" · ")),
    it.stackTrace && h("details", {}, h("summary", {}, "Where it happened"), h("pre", { tabindex: "0" }, it.stackTrace)),
    it.cause && h("div", { class: "cause" }, h("p", { class: "faint" }, "caused by"), failureView(it.cause)),
  );
}

/** An outcome: a value, or a failure and why it is final. */
export function outcomeView(it, why = "") {
  return it.failure ? failureView(it.failure, why) : payloadView(it.value);
}

/** A failure in one line. */
export function failureText(it) {
  if (!it) return "";
  return [it.type, it.message].filter(Boolean).join(": ");
}

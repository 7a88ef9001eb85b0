// JSON text with indentation and colours. The text is split into tokens and not parsed into values, because
// parsing would change a number such as 12345678901234567890.

import { h } from "./dom.js";

const TOKEN = /"(?:\\.|[^"\\])*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** Returns why a text is not JSON; empty when it is. */
export function problem(text) {
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return error.message;
  }
}

/** Returns a JSON text in the form that equal values have; another text as it is. */
export function exact(text) {
  if (problem(text)) return text;
  const marked = text.replace(TOKEN, (token) => (/^[-\d]/.test(token) ? `{"\\u0000":"${exactNumber(token)}"}` : token));
  return JSON.stringify(JSON.parse(marked), (_, it) => (it && typeof it === "object" && !Array.isArray(it) ? Object.fromEntries(Object.entries(it).sort()) : it));
}

// A number of JSON in one form; a whole one that is too large for a number of JavaScript keeps its digits.
function exactNumber(token) {
  return /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token)) ? token : String(Number(token));
}

/** Returns the lines of a JSON text as text nodes and spans. */
export function pretty(text) {
  const tokens = text.match(TOKEN) ?? [];
  const out = [];
  let depth = 0;
  tokens.forEach((token, index) => {
    const next = tokens[index + 1];
    const before = tokens[index - 1];
    if (token === "{" || token === "[") {
      depth += 1;
      out.push(token);
      if (next !== "}" && next !== "]") out.push(line(depth));
    } else if (token === "}" || token === "]") {
      depth -= 1;
      if (before !== "{" && before !== "[") out.push(line(depth));
      out.push(token);
    } else if (token === ",") out.push(",", line(depth));
    else if (token === ":") out.push(": ");
    else out.push(h("span", { class: `json-${kind(token, next)}` }, token));
  });
  return out;
}

function line(depth) {
  return `\n${"  ".repeat(depth)}`;
}

function kind(token, next) {
  if (token.startsWith('"')) return next === ":" ? "name" : "text";
  return /^[-\d]/.test(token) ? "number" : "word";
}

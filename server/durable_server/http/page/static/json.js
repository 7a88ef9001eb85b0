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

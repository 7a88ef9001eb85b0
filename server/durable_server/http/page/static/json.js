// JSON as it was written, on several lines and in colours. The text is cut into its tokens and not
// parsed into values: a parsed 12345678901234567890 is another number.

import { h } from "./dom.js";

const TOKEN = /"(?:\\.|[^"\\])*"|[{}[\],:]|[^\s{}[\],:"]+/g;

/** Says whether a text is JSON; otherwise returns what is wrong. */
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
  tokens.forEach((token, place) => {
    const next = tokens[place + 1];
    const before = tokens[place - 1];
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

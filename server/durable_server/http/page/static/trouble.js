// The lines above every view: what the page cannot get, and what is wrong with the cluster.

import { attribute, fill, h, reconcile, text } from "./dom.js";

const UNREACHABLE = "The control plane does not answer. What is shown may be old; trying again.";

const problems = new Map();
let nodes = [];

/** Keeps the problem of one source, such as a poll; empty words remove it. */
export function report(source, words = "") {
  if ((problems.get(source) ?? "") === words) return;
  if (words) problems.set(source, words);
  else problems.delete(source);
  show();
}

/** Keeps that a source gets no answer at all. */
export function reportUnreachable(source) {
  report(source, UNREACHABLE);
}

/** Sets the nodes whose pages are offered while this one's does not answer. */
export function offer(others) {
  nodes = others;
}

function show() {
  const box = document.getElementById("trouble");
  const words = [...new Set(problems.values())];
  box.hidden = words.length === 0;
  fill(box, words.map((it) => h("p", {}, it, it === UNREACHABLE && nodes.length > 0 && [" Other nodes: ", ...links()])));
}

function links() {
  return nodes.flatMap((it, index) => [index > 0 ? ", " : "", h("a", { href: `http://${it.httpAddress}/${location.hash}` }, it.name)]);
}

/** Shows the warnings about the cluster. Each has a `key`, `words`, may be `bad`, and leads to an address. */
export function warn(warnings) {
  const box = document.getElementById("warnings");
  attribute(box, "hidden", warnings.length === 0);
  reconcile(
    box,
    warnings,
    (it) => it.key,
    () => h("li", {}, h("span", {}), " ", h("a", {}, "Show")),
    (line, it) => {
      attribute(line, "class", it.bad ? "bad" : "warm");
      text(line.querySelector("span"), it.words);
      attribute(line.querySelector("a"), "href", it.address);
    },
  );
}

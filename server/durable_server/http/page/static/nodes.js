// The nodes of the cluster, as a part of the view of the server: what each says of itself, and a button that
// makes it give its partitions to the others, or takes that back.

import * as api from "./api.js";
import { cluster } from "./cluster.js";
import { note, openDialog } from "./dialogs.js";
import { attribute, h, reconcile, text } from "./dom.js";
import { ago, count, plural } from "./format.js";
import { address } from "./router.js";
import { may } from "./session.js";

const HEADS = ["Node", "State", "Leads", "Follows", "Address", "Version", "Format level", ""];
const NUMBERS = new Set(["Follows", "Format level"]);

export class Nodes {
  constructor() {
    this.rows = h("tbody", {});
    this.about = h("span", { class: "faint" });
    this.element = h(
      "section",
      { class: "part", "aria-label": "Nodes", hidden: true },
      h("header", {}, h("h2", {}, "Nodes"), this.about),
      h("div", { class: "sheet-table" }, h("table", { class: "wide nodes", "aria-label": "Nodes" }, h("thead", {}, h("tr", {}, HEADS.map((it) => (it ? h("th", { scope: "col", class: NUMBERS.has(it) && "number" }, it) : h("td", {}))))), this.rows)),
    );
  }

  /** Shows a view of the cluster. */
  show(view) {
    attribute(this.element, "hidden", false);
    text(this.about, plural(view.live.length, "live node"));
    reconcile(this.rows, view.nodes, (it) => it.name, createRow, (row, it) => updateRow(row, it, view));
  }
}

function createRow(it) {
  const cell = (name, label, ...content) => h("td", { class: `c-${name}${NUMBERS.has(label) ? " number" : ""}`, data: { label } }, ...content);
  return h(
    "tr",
    {},
    h("td", { class: "c-handler" }, h("bdi", {}, it.name), h("span", { class: "about faint", hidden: true }, "answers this page")),
    cell("state", "State", h("span", { class: "state" }, h("i", {}), h("span", {}))),
    cell("led", "Leads", h("meter", { "aria-label": `Partitions that ${it.name} leads` }), h("a", { href: address("/server", { node: it.name }) })),
    cell("followed", "Follows"),
    cell("address", "Address", h("bdi", {}), h("span", { class: "about faint", hidden: true }, "HTTP: ", h("bdi", {}))),
    cell("version", "Version"),
    cell("format", "Format level"),
    h("td", { class: "c-act" }, h("button", { type: "button", class: "small", on: { click: (event) => act(it.name, "undo" in event.currentTarget.dataset) } })),
  );
}

function updateRow(row, it, view) {
  const partitions = view.partitions.length;
  attribute(row.querySelector(".c-handler .about"), "hidden", !it.isServing);
  const [dot, words] = stateOf(it);
  attribute(row.querySelector(".c-state i"), "class", `dot ${dot}`);
  text(row.querySelector(".c-state .state > span"), words);
  row.querySelector(".c-state").classList.toggle("bad", dot === "failed");
  const led = it.isLive ? it.led.length : 0;
  const meter = row.querySelector("meter");
  attribute(meter, "max", partitions);
  attribute(meter, "value", led);
  text(row.querySelector(".c-led a"), `${count(led)} of ${count(partitions)}`);
  text(row.querySelector(".c-followed"), count(it.isLive ? it.followed : 0));
  text(row.querySelector(".c-address > bdi"), it.address);
  attribute(row.querySelector(".c-address .about"), "hidden", !it.httpAddress);
  text(row.querySelector(".c-address .about bdi"), it.httpAddress);
  text(row.querySelector(".c-version"), it.version);
  text(row.querySelector(".c-format"), count(it.formatLevel));
  const button = row.querySelector("button");
  const permitted = may("DrainNode");
  const canDrain = permitted && it.isLive && !it.draining && view.live.some((one) => one !== it && !one.draining);
  const canUndo = permitted && it.isLive && it.draining && !it.stopping;
  attribute(button, "hidden", !canDrain && !canUndo);
  attribute(button, "data-undo", canUndo);
  attribute(button, "aria-label", canUndo ? `Undo the drain of ${it.name}` : `Drain ${it.name}…`);
  text(button, canUndo ? "Undo drain" : "Drain…");
}

async function act(name, undo) {
  await openDialog({
    title: undo ? `Let node ${name} lead partitions again?` : `Give the partitions of node ${name} to other nodes?`,
    words: undo ? "It takes its share of the partitions again." : "It goes on serving clients and workers, and leads no partitions until you undo this, or until it starts anew.",
    confirm: undo ? "Undo the drain" : "Drain it",
    act: async () => {
      await api.drain(name, undo);
      note(undo ? `Node ${name} takes partitions again.` : `Node ${name} gives its partitions to other nodes.`);
      cluster.now();
      return true;
    },
  });
}

function stateOf(it) {
  if (!it.isLive) return it.stopping ? ["cancelled", `stopped ${ago(it.time)}`] : ["failed", `gone, heard ${ago(it.time)}`];
  if (it.stopping) return ["paused", "stopping"];
  if (it.draining) return ["paused", it.led.length ? "draining" : "drained"];
  return ["completed", "serving"];
}

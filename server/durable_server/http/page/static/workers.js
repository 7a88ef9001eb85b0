// The workers that are connected now. The table shows only the first few hundred, so that the document stays
// small.

import * as api from "./api.js";
import { fill, h, reconcile, text } from "./dom.js";
import { ago, count, millis, moment } from "./format.js";
import { poll } from "./live.js";

const SECONDS = 3;
const ROWS = 200;
const HEADS = ["Worker", "Build", "Slots in use", "Connected", "Serves"];

export class Workers {
  keys = {};

  constructor(main) {
    this.rows = h("tbody", {});
    this.empty = h("p", { class: "empty", hidden: true }, "No worker is connected. Start one with: durable worker MODULE");
    this.more = h("p", { class: "faint" });
    fill(
      main,
      h("h1", {}, "Workers"),
      h("div", { class: "sheet-table" }, h("table", { class: "wide" }, h("thead", {}, h("tr", {}, HEADS.map((it) => h("th", { scope: "col" }, it)))), this.rows), this.empty),
      this.more,
    );
    this.poll = poll(SECONDS, async (signal) => this.#show((await api.workers(signal)).workers ?? []));
  }

  move() {}

  close() {
    this.poll.close();
  }

  #show(found) {
    reconcile(this.rows, found.slice(0, ROWS), (it) => it.workerId, createRow, updateRow);
    this.empty.hidden = found.length > 0;
    text(this.more, found.length > ROWS ? `and ${count(found.length - ROWS)} more` : "");
  }
}

function createRow(it) {
  return h(
    "tr",
    {},
    h("td", { class: "c-handler" }, h("bdi", {}, it.identity || it.workerId), h("code", { class: "faint about" }, it.workerId)),
    h("td", {}, h("bdi", {}, it.buildId || "–")),
    h("td", { class: "c-slots" }, h("meter", { "aria-label": "Slots in use" }), h("span", {})),
    h("td", {}, h("time", { title: moment(millis(it.connectTime)) }), h("span", { class: "about faint", hidden: true }, "to node ", h("bdi", {}))),
    h("td", { class: "c-serves" }),
  );
}

function updateRow(row, it) {
  const meter = row.querySelector("meter");
  meter.max = it.slotCount ?? 1;
  meter.value = it.runningCount ?? 0;
  text(row.querySelector(".c-slots span"), `${count(it.runningCount ?? 0)} of ${count(it.slotCount ?? 0)}${it.draining ? " · draining" : ""}`);
  text(row.querySelector("time"), ago(millis(it.connectTime)));
  const node = row.querySelector("time + .about");
  node.hidden = !it.node;
  text(node.querySelector("bdi"), it.node ?? "");
  const names = it.handlers ?? [];
  text(row.querySelector(".c-serves"), names.slice(0, 12).join(", ") + (names.length > 12 ? ` and ${names.length - 12} more` : ""));
}

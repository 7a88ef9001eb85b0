// The control plane: throughput, the logs of its partitions, its version and its limits.

import * as api from "./api.js";
import { fill, h, text } from "./dom.js";
import { ago, count, millis, moment, rate } from "./format.js";
import { poll } from "./live.js";
import { drawSparkline, pulse } from "./throughput.js";

const SECONDS = 2;

export class Server {
  keys = {};
  appended = [];

  constructor(main) {
    this.charts = ["Started", "Finished", "Log appends"].map((name) => {
      const it = { name, number: h("b", {}), line: h("div", { class: "line" }) };
      it.element = h("section", { class: "card figure" }, h("header", {}, h("h2", {}, name), h("span", { class: "faint" }, it.number, " a second")), it.line);
      return it;
    });
    this.facts = h("dl", { class: "table" });
    this.limits = h("dl", { class: "table" });
    fill(
      main,
      h("h1", {}, "Server"),
      h("div", { class: "cards three" }, this.charts.map((it) => it.element)),
      h("div", { class: "cards" }, card("Control plane", this.facts), card("Limits", this.limits)),
      h("p", { class: "faint" }, "Rates are differences of the counts of what is kept, while this page is shown."),
    );
    this.onCounts = () => this.#charts();
    pulse.addEventListener("counts", this.onCounts);
    this.poll = poll(SECONDS, async (signal) => this.#show(await api.server(signal)));
    this.#charts();
  }

  move() {}

  close() {
    this.poll.close();
    pulse.removeEventListener("counts", this.onCounts);
  }

  #charts() {
    const series = [pulse.rates.map((it) => it.started), pulse.rates.map((it) => it.ended), this.appended];
    this.charts.forEach((it, index) => {
      text(it.number, rate(series[index].at(-1) ?? NaN));
      fill(it.line, drawSparkline(series[index], 320, 64, `${it.name} a second`));
    });
  }

  #show(it) {
    const now = performance.now();
    const appends = Number(it.appendCount ?? 0);
    // A new epoch is a new leader, whose count begins at zero.
    if (this.last?.epoch === it.epoch) {
      this.appended.push(Math.max(0, (appends - this.last.appends) / ((now - this.last.now) / 1000)));
      if (this.appended.length > 90) this.appended.shift();
    }
    this.last = { now, appends, epoch: it.epoch };
    const partitions = Number(it.partitionCount ?? 1);
    const several = partitions > 1;
    rows(this.facts, [
      ["Version", it.version],
      ["Worker protocol", [it.protocolVersionMin, it.protocolVersionMax].filter((v, i, all) => all.indexOf(v) === i).join(" to ")],
      ...(several ? [["Partitions", count(partitions)]] : []),
      [several ? "Epoch of partition 0" : "Epoch", count(Number(it.epoch ?? 0))],
      ["Leads since", `${moment(millis(it.startTime))} (${ago(millis(it.startTime))})`],
      ["Batches appended", count(appends)],
      ["Invocations kept", count(pulse.total)],
      ["Workers", count(pulse.workers)],
    ]);
    rows(this.limits, Object.entries(it.limits ?? {}).sort().map(([name, value]) => [name, count(Number(value))]));
  }
}

function card(title, body) {
  return h("section", { class: "card" }, h("header", {}, h("h2", {}, title)), body);
}

function rows(list, facts) {
  fill(list, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value ?? "")))));
}

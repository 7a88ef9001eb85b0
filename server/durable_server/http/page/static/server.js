// The control plane: throughput, the nodes and partitions of a cluster, its version and its limits.

import * as api from "./api.js";
import { cluster } from "./cluster.js";
import { fill, h, reconcile, text } from "./dom.js";
import { ago, count, millis, moment, rate } from "./format.js";
import { poll } from "./live.js";
import { Nodes } from "./nodes.js";
import { Partitions } from "./partitions.js";
import { go } from "./router.js";
import { drawSparkline, pulse } from "./throughput.js";

const SECONDS = 2;

export class Server {
  appended = [];

  constructor(main, route) {
    this.route = route;
    this.nodes = new Nodes();
    this.partitions = new Partitions(route.query);
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
      this.nodes.element,
      this.partitions.element,
      h("div", { class: "cards" }, card("Control plane", this.facts), card("Limits", this.limits)),
      h("p", { class: "faint" }, "Rates are differences of the counts of what is kept, while this page is shown."),
    );
    this.onCounts = () => this.#charts();
    pulse.addEventListener("counts", this.onCounts);
    this.onCluster = () => this.#cluster();
    cluster.addEventListener("cluster", this.onCluster);
    this.poll = poll(SECONDS, async (signal) => this.#show(await api.server(signal)));
    this.#charts();
    this.#cluster();
  }

  /** Shows an address with other partitions. */
  move(route) {
    this.route = route;
    this.partitions.move(route.query);
  }

  close() {
    this.poll.close();
    pulse.removeEventListener("counts", this.onCounts);
    cluster.removeEventListener("cluster", this.onCluster);
  }

  keys = {
    Escape: () => (this.route.query.size ? go("#/server") : document.activeElement?.blur()),
  };

  #cluster() {
    if (!cluster.view) return;
    this.nodes.show(cluster.view);
    this.partitions.show(cluster.view);
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
    // A new leader counts from zero, and what a leader that did not answer has appended is not in the sum.
    const leaders = JSON.stringify([it.epoch, cluster.view?.partitions.map((one) => one.epoch), pulse.missing]);
    if (this.last?.leaders === leaders && appends >= this.last.appends) {
      this.appended.push((appends - this.last.appends) / ((now - this.last.now) / 1000));
      if (this.appended.length > 90) this.appended.shift();
    }
    this.last = { now, appends, leaders };
    const partitions = Number(it.partitionCount ?? 1);
    const several = partitions > 1;
    rows(this.facts, [
      ["Version", it.version],
      ["Worker protocol", [it.protocolVersionMin, it.protocolVersionMax].filter((v, i, all) => all.indexOf(v) === i).join(" to ")],
      ...(several ? [["Partitions", count(partitions)]] : []),
      ...(cluster.view ? clusterFacts(cluster.view) : leaderFacts(it, several)),
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

function leaderFacts(it, several) {
  return [
    [several ? "Epoch of partition 0" : "Epoch", count(Number(it.epoch ?? 0))],
    ["Leads since", `${moment(millis(it.startTime))} (${ago(millis(it.startTime))})`],
  ];
}

function clusterFacts(view) {
  return [
    ["Followers each", count(view.standbys)],
    ["System", view.systemId],
    ["Format level", count(view.formatLevel)],
  ];
}

function rows(list, facts) {
  reconcile(
    list,
    facts,
    ([name]) => name,
    ([name]) => h("div", {}, h("dt", {}, name), h("dd", {})),
    (row, [, value]) => text(row.querySelector("dd"), String(value ?? "")),
  );
}

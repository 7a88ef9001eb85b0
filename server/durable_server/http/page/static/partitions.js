// The partitions of the cluster, as a part of the view of the server: all of them, those that a node leads or
// follows, those without a leader, or those with a follower that is far behind. The table shows 64 at a time,
// so that the document stays small.
//
//   show    leaderless or behind          node    its partitions          part    the page, from 2

import { attribute, h, reconcile, text } from "./dom.js";
import { count } from "./format.js";
import { address, go } from "./router.js";

const ROWS = 64;
const HEADS = ["Partition", "Leader", "Epoch", "Position", "Followers"];
const NUMBERS = new Set(["Epoch", "Position"]);
const KINDS = [
  ["", "All", () => true],
  ["leaderless", "Without a leader", (it) => !it.leader],
  ["behind", "Follower far behind", (it) => it.followers.some((one) => one.isBehind)],
];

export class Partitions {
  constructor(query) {
    this.query = query;
    this.rows = h("tbody", {});
    this.chips = h("div", { class: "chips", role: "group", "aria-label": "Which partitions" });
    this.empty = h("p", { class: "empty", hidden: true });
    this.newer = h("button", { type: "button", on: { click: () => this.#turn(-1) } }, "← Previous");
    this.older = h("button", { type: "button", on: { click: () => this.#turn(1) } }, "Next →");
    this.where = h("span", { class: "faint", "aria-live": "polite" });
    this.pager = h("div", { class: "pager", hidden: true }, this.newer, this.older, this.where);
    this.element = h(
      "section",
      { class: "part", "aria-label": "Partitions", hidden: true },
      h("header", {}, h("h2", {}, "Partitions"), this.chips),
      h("div", { class: "sheet-table" }, h("table", { class: "wide partitions", "aria-label": "Partitions" }, h("thead", {}, h("tr", {}, HEADS.map((it) => h("th", { scope: "col", class: NUMBERS.has(it) && "number" }, it)))), this.rows), this.empty),
      this.pager,
    );
  }

  /** Shows an address with other partitions. */
  move(query) {
    this.query = query;
    if (this.view) this.show(this.view);
  }

  /** Shows a view of the cluster. */
  show(view) {
    this.view = view;
    attribute(this.element, "hidden", false);
    const node = this.query.get("node") ?? "";
    const kind = KINDS.find(([name]) => name === (this.query.get("show") ?? "")) ?? KINDS[0];
    const found = view.partitions.filter((it) => kind[2](it) && (!node || concerns(it, node)));
    this.pages = Math.max(1, Math.ceil(found.length / ROWS));
    this.part = Math.min(Math.max(1, Number.parseInt(this.query.get("part"), 10) || 1), this.pages);
    const from = (this.part - 1) * ROWS;
    const wanted = Math.min(view.standbys, view.live.filter((it) => !it.draining).length - 1);
    reconcile(this.rows, found.slice(from, from + ROWS), (it) => it.number, createRow, (row, it) => updateRow(row, it, wanted));
    this.#chips(kind[0], node);
    attribute(this.empty, "hidden", found.length > 0);
    text(this.empty, kind[0] === "leaderless" ? "Every partition has a leader." : "There are none.");
    attribute(this.pager, "hidden", this.pages === 1);
    attribute(this.newer, "disabled", this.part === 1);
    attribute(this.older, "disabled", this.part === this.pages);
    text(this.where, `${count(from + 1)} to ${count(Math.min(from + ROWS, found.length))} of ${count(found.length)}`);
  }

  #chips(chosen, node) {
    const chips = KINDS.map(([name, label, fits]) => ({ name, label, on: name === chosen, number: this.view.partitions.filter(fits).length, to: address("/server", { show: name, node }) }));
    if (node) chips.push({ name: "node", label: `Led or followed by ${node} ✕`, on: true, to: address("/server", { show: chosen }) });
    reconcile(
      this.chips,
      chips,
      (it) => it.name,
      () => h("a", { class: "chip" }, h("span", {}), h("b", {})),
      (chip, it) => {
        chip.classList.toggle("on", it.on);
        attribute(chip, "aria-current", it.on && it.name !== "node" && "true");
        attribute(chip, "href", it.to);
        text(chip.querySelector("span"), it.label);
        text(chip.querySelector("b"), it.number === undefined ? "" : count(it.number));
        chip.querySelector("b").classList.toggle("bad", it.name === "leaderless" && it.number > 0);
        chip.querySelector("b").classList.toggle("warm", it.name === "behind" && it.number > 0);
      },
    );
  }

  #turn(by) {
    const next = Object.fromEntries(this.query);
    go(address("/server", { ...next, part: this.part + by > 1 ? String(this.part + by) : "" }));
  }
}

function concerns(it, node) {
  return it.leader === node || it.followers.some((one) => one.node === node);
}

function createRow(it) {
  return h(
    "tr",
    {},
    h("th", { scope: "row", class: "c-number" }, count(it.number)),
    h("td", { class: "c-leader", data: { label: "Leader" } }, h("bdi", {})),
    h("td", { class: "c-epoch number", data: { label: "Epoch" } }),
    h("td", { class: "c-position number", data: { label: "Position" } }),
    h("td", { class: "c-followers", data: { label: "Followers" } }),
  );
}

function updateRow(row, it, wanted) {
  const leader = row.querySelector(".c-leader");
  row.classList.toggle("leaderless", !it.leader);
  leader.classList.toggle("bad", !it.leader);
  text(leader.querySelector("bdi"), it.leader || "no node leads it");
  text(row.querySelector(".c-epoch"), it.leader ? count(it.epoch) : "");
  text(row.querySelector(".c-position"), it.leader ? count(it.position) : "");
  followers(row.querySelector(".c-followers"), it, wanted);
}

function followers(cell, it, wanted) {
  const all = it.followers.map((one) => ({ ...one, words: it.leader && one.lag ? `${count(one.lag)} behind` : "" }));
  if (all.length < wanted) all.push({ node: "", words: all.length ? `${wanted - all.length} missing` : "none yet" });
  reconcile(
    cell,
    all,
    (one) => one.node,
    () => h("span", { class: "follower" }, h("bdi", {}), " ", h("span", {})),
    (element, one) => {
      text(element.querySelector("bdi"), one.node);
      text(element.querySelector("span"), one.words);
      attribute(element.querySelector("span"), "class", one.isBehind || !one.node ? "warm" : "faint");
    },
  );
}

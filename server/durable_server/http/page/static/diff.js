// Two runs side by side, with the first difference marked. Steps that are equal are folded until the user opens
// them. As long as one of the runs goes on, both are read again.

import * as api from "./api.js";
import { fill, h } from "./dom.js";
import { isFinal, millis, plural, span, stateWord } from "./format.js";
import { showState } from "./invocations.js";
import { kindOf } from "./journal.js";
import { poll } from "./live.js";
import { invocationAddress } from "./router.js";
import { compare } from "./run_diff.js";
import { outcomeView, payloadView } from "./value.js";

const SECONDS = 2;
const NEAR = 1; // equal steps that are shown before and after a difference
const ROWS = 200;

export class Diff {
  keys = {};

  constructor(main, route) {
    this.ids = route.id.split("/");
    this.opened = new Set();
    this.limit = ROWS;
    this.sum = h("p", { class: "facts-line", role: "status" });
    this.body = h("tbody", {});
    this.heads = [h("th", { scope: "col" }), h("th", { scope: "col" })];
    this.more = h("div", { class: "pager", hidden: true });
    const table = h("table", { class: "diff" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Step"), this.heads)), this.body);
    this.frame = [h("h1", {}, "Two runs"), this.sum, h("div", { class: "sheet-table" }, table), this.more];
    if (this.ids.length !== 2 || !this.ids.every(Boolean)) {
      fill(main, h("p", { class: "empty" }, "The address of a comparison has two ids: #/diff/ID/ID"));
      return;
    }
    fill(main, h("p", { class: "empty" }, "Loading…"));
    this.poll = poll(SECONDS, async (signal) => {
      const runs = await Promise.all(this.ids.map((id) => api.run(id, signal)));
      await this.#show(main, runs.map((it) => it.invocation));
    }, (error) => fill(main, h("p", { class: "empty", role: "alert" }, api.errorText(error))));
  }

  move() {}

  close() {
    this.closed = true;
    this.poll?.close();
  }

  async #show(main, runs) {
    const form = JSON.stringify(runs);
    if (form === this.form) return;
    const rows = await compare(...runs);
    if (this.closed) return;
    if (runs.every((it) => isFinal(stateWord(it.state)))) this.poll.hold(true);
    this.form = form;
    this.rows = rows;
    this.first = rows.findIndex((it) => it.differs);
    runs.forEach((it, at) => fill(this.heads[at], runHead(it)));
    if (this.frame[0].parentElement !== main) fill(main, this.frame);
    this.#draw();
  }

  #draw() {
    const { rows, first } = this;
    fill(this.sum, first < 0 ? "They are equal." : ["They differ, first in ", h("a", { href: location.hash, on: { click: (event) => this.#jump(event) } }, where(rows[first])), "."]);
    const shown = new Set();
    rows.forEach((row, at) => {
      if (row.part !== "step") shown.add(at);
      if (row.differs) for (let near = at - NEAR; near <= at + NEAR; near += 1) shown.add(near);
    });
    const lines = [];
    for (let at = 0; at < rows.length; at += 1) {
      if (shown.has(at) || this.opened.has(at)) lines.push(this.#line(rows[at], at === first));
      else {
        const from = at;
        while (at + 1 < rows.length && !shown.has(at + 1) && !this.opened.has(at + 1)) at += 1;
        lines.push(this.#folded(from, at));
      }
    }
    fill(this.body, lines.slice(0, this.limit));
    this.more.hidden = lines.length <= this.limit;
    fill(this.more, h("button", { type: "button", on: { click: () => this.#grow() } }, `Show more of ${plural(lines.length, "row")}`));
  }

  #grow() {
    this.limit += ROWS;
    this.#draw();
  }

  #jump(event) {
    event.preventDefault();
    this.body.querySelector(".first-difference")?.scrollIntoView({ block: "center" });
  }

  #folded(from, to) {
    const open = () => {
      for (let at = from; at <= to; at += 1) this.opened.add(at);
      this.#draw();
    };
    const words = `${plural(to - from + 1, "equal step")}, from ${this.rows[from].index} to ${this.rows[to].index}`;
    return h("tr", { class: "folded" }, h("td", { colspan: 3 }, h("button", { type: "button", class: "small quiet", on: { click: open } }, `Show ${words}`)));
  }

  #line(row, isFirst) {
    const look = [row.differs && "differs", isFirst && "first-difference"].filter(Boolean).join(" ");
    const name = { input: "Input", end: "End" }[row.part] ?? String(row.index);
    return h(
      "tr",
      { class: look || null, data: { part: row.part, index: row.index ?? "" } },
      h("th", { scope: "row" }, name, isFirst && h("span", { class: "badge" }, "first difference")),
      [row.first, row.second].map((it) => h("td", {}, side(row.part, it))),
    );
  }
}

function where(row) {
  return { input: "how they begin", end: "how they end" }[row.part] ?? `step ${row.index}`;
}

function runHead(it) {
  const state = h("span", {});
  showState(state, stateWord(it.state));
  return [
    h("div", { class: "run" }, h("bdi", {}, it.handler), state),
    h("a", { href: invocationAddress(it.invocationId) }, h("code", {}, it.invocationId)),
    it.sourceInvocationId && h("p", { class: "faint" }, `${it.sourceIndex ? `Fork before step ${it.sourceIndex} of` : "Copy of"} ${it.sourceInvocationId.slice(0, 12)}…`),
  ];
}

function side(part, it) {
  if (!it) return h("p", { class: "faint" }, "no such step");
  if (part === "input") return [it.key && h("p", {}, h("bdi", { class: "key" }, it.key)), payloadView(it.input)];
  if (part === "end") return it.outcome ? outcomeView(it.outcome) : h("p", { class: "faint" }, `It is ${stateWord(it.state)}.`);
  const kind = kindOf(it);
  const took = millis(it.completeTime) - millis(it.createTime);
  return [
    h("p", { class: "run" }, h("span", { class: `kind ${kind.group}` }, kind.word), h("bdi", {}, it.name ?? ""), took > 0 && h("span", { class: "faint" }, span(took))),
    it.argument && payloadView(it.argument),
    it.outcome ? outcomeView(it.outcome) : !it.completeTime && h("p", { class: "faint" }, "It is not complete."),
  ];
}

// The registered handlers: what they are, which workers serve them, and their invocations by status.

import * as api from "./api.js";
import { fill, h, reconcile, text } from "./dom.js";
import { STATES, count, missingText, span, spanMillis, stateText } from "./format.js";
import { poll } from "./live.js";
import { address } from "./router.js";
import { pulse } from "./throughput.js";

const SECONDS = 5;
const PAGE = 50;
const KINDS = { HANDLER_KIND_OBJECT_EXCLUSIVE: "object, exclusive", HANDLER_KIND_OBJECT_SHARED: "object, shared" };
const HEADS = ["Handler", "Workers", "Waiting", "Running", "Invocations by status", "Policy"];

export class Handlers {
  keys = {};
  tokens = [];

  constructor(main) {
    this.rows = h("tbody", {});
    this.empty = h("p", { class: "empty", hidden: true }, "No worker has registered a handler yet.");
    this.newer = h("button", { type: "button", on: { click: () => this.#turn(this.tokens.slice(0, -1)) } }, "← Previous");
    this.older = h("button", { type: "button", on: { click: () => this.#turn([...this.tokens, this.next]) } }, "Next →");
    this.problem = h("p", { class: "form-error", role: "alert", hidden: true });
    this.pager = h("div", { class: "pager", hidden: true }, this.newer, this.older);
    fill(
      main,
      h("h1", {}, "Handlers"),
      this.problem,
      h("div", { class: "sheet-table" }, h("table", { class: "wide" }, h("thead", {}, h("tr", {}, HEADS.map((it, index) => h("th", { scope: "col", class: index > 0 && index < 4 && "number" }, it)))), this.rows), this.empty),
      this.pager,
    );
    this.poll = poll(SECONDS, (signal) => this.#load(signal));
    this.onCounts = () => this.#show();
    pulse.addEventListener("counts", this.onCounts);
  }

  move() {}

  close() {
    this.poll.close();
    pulse.removeEventListener("counts", this.onCounts);
  }

  async #load(signal) {
    const answer = await api.handlers({ page_size: PAGE, page_token: this.tokens.at(-1) ?? "" }, signal);
    this.found = answer.handlers ?? [];
    const missing = missingText(answer.missingPartitions, "Invocations are not counted");
    this.problem.hidden = !missing;
    text(this.problem, missing);
    this.next = answer.nextPageToken ?? "";
    this.#show();
  }

  #turn(tokens) {
    this.tokens = tokens;
    this.poll.now();
  }

  #show() {
    if (!this.found) return;
    reconcile(this.rows, this.found, (it) => it.spec.name, createRow, updateRow);
    this.empty.hidden = this.found.length > 0;
    this.pager.hidden = !this.next && this.tokens.length === 0;
    this.newer.disabled = this.tokens.length === 0;
    this.older.disabled = !this.next;
  }
}

function createRow(it) {
  return h(
    "tr",
    {},
    h("td", { class: "c-handler" }, h("a", { href: address("/", { handler: it.spec.name }) }, it.spec.name), h("span", { class: "faint about" }), h("div", { class: "schemas" })),
    ...["workers", "waiting", "running"].map((name) => h("td", { class: `number c-${name}`, data: { label: name } })),
    h("td", { class: "c-counts" }),
    h("td", { class: "c-policy faint" }),
  );
}

function updateRow(row, it) {
  const { spec } = it;
  const about = [KINDS[spec.kind] ?? "workflow", spec.version && `version ${spec.version}`, spec.description?.split("\n", 1)[0]];
  text(row.querySelector(".about"), about.filter(Boolean).join(" · "));
  text(row.querySelector(".c-workers"), count(it.workerCount ?? 0));
  row.querySelector(".c-workers").classList.toggle("bad", !it.workerCount);
  text(row.querySelector(".c-waiting"), count(Number(it.pendingCount ?? 0)));
  text(row.querySelector(".c-running"), count(Number(it.runningCount ?? 0)));
  text(row.querySelector(".c-policy"), policy(spec));
  counts(row.querySelector(".c-counts"), spec.name);
  schemas(row.querySelector(".schemas"), spec);
}

function counts(cell, name) {
  const mine = (pulse.counts ?? []).filter((it) => it.handler === name);
  mine.sort((a, b) => STATES.indexOf(a.word) - STATES.indexOf(b.word));
  reconcile(
    cell,
    mine,
    (it) => it.word,
    (it) => h("a", { class: "tally", href: address("/", { handler: name, status: it.word }) }, h("i", { class: `dot ${it.word}` }), `${stateText(it.word)} `, h("b", {})),
    (element, it) => text(element.querySelector("b"), count(it.count)),
  );
}

function policy(spec) {
  const retry = spec.retryPolicy ?? {};
  const attempts = retry.maxAttempts === -1 ? "no limit of attempts" : `${retry.maxAttempts || 50} attempts`;
  const words = [
    attempts,
    retry.initialInterval && `from ${span(spanMillis(retry.initialInterval))} to ${span(spanMillis(retry.maxInterval))}`,
    retry.onExhausted === "EXHAUSTION_PAUSE" && "then paused",
    spec.timeout && `timeout ${span(spanMillis(spec.timeout))}`,
    spec.maxConcurrent && `${spec.maxConcurrent} at once`,
    spec.versioning === "VERSIONING_PINNED" && "pinned to its build",
    spec.retention && `kept ${span(spanMillis(spec.retention))}`,
  ];
  return words.filter(Boolean).join(" · ");
}

// Rendered once, and again only when a schema has changed.
function schemas(box, spec) {
  const form = `${spec.inputSchema ?? ""}\n${spec.outputSchema ?? ""}`;
  if (box.dataset.form === form) return;
  box.dataset.form = form;
  const one = (title, schema) => schema && h("details", {}, h("summary", {}, title), h("pre", { tabindex: "0" }, indented(schema)));
  fill(box, one("Input schema", spec.inputSchema), one("Output schema", spec.outputSchema));
}

function indented(schema) {
  try {
    return JSON.stringify(JSON.parse(schema), null, 2);
  } catch {
    return schema;
  }
}

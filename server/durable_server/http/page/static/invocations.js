// The list of invocations. The document holds one page, whatever the number of invocations. It stays up to
// date by requesting the shown page again. Later pages are stable, because their token names the invocation
// after which they begin.

import * as actions from "./actions.js";
import * as api from "./api.js";
import { fill, h, reconcile, text } from "./dom.js";
import { Filters, toQuery } from "./filters.js";
import { ago, isFinal, millis, missingText, moment, span, stateText, stateWord } from "./format.js";
import { poll } from "./live.js";
import { address, go, invocationAddress, rememberList } from "./router.js";
import { pulse } from "./throughput.js";

const SECONDS = 2;
const COLUMNS = ["Status", "Handler", "Id", "Created", "Took", "Steps", "Attempt", "Note"];
const NUMBERS = new Set(["Took", "Steps", "Attempt"]);

/** The view of the list. */
export class Invocations {
  constructor(main, route) {
    this.route = route;
    this.shown = new Map();
    this.filters = new Filters(route.query);
    this.rows = h("tbody", {});
    this.empty = h("p", { class: "empty", hidden: true });
    this.problem = h("p", { class: "form-error", role: "alert", hidden: true });
    this.first = h("button", { type: "button", on: { click: () => this.#turn([]) } }, "First page");
    this.newer = h("button", { type: "button", on: { click: () => this.#turn(this.#tokens().slice(0, -1)) } }, "← Previous");
    this.older = h("button", { type: "button", on: { click: () => this.#turn([...this.#tokens(), this.next]) } }, "Next →");
    this.where = h("span", { class: "faint", "aria-live": "polite" });
    this.live = h("input", { type: "checkbox", checked: true });
    this.live.addEventListener("change", () => this.poll.hold(!this.live.checked));
    fill(
      main,
      h("h1", { class: "unseen" }, "Invocations"),
      this.filters.element,
      this.problem,
      h(
        "div",
        { class: "sheet-table" },
        h("table", { class: "list", "aria-label": "Invocations" }, h("thead", {}, h("tr", {}, COLUMNS.map((it) => h("th", { scope: "col", class: NUMBERS.has(it) && "number" }, it)))), this.rows),
        this.empty,
      ),
      h("div", { class: "pager" }, this.first, this.newer, this.older, this.where, h("label", { class: "check live", title: "Follow what happens" }, this.live, "Live")),
    );
    this.onCounts = () => this.filters.count();
    pulse.addEventListener("counts", this.onCounts);
    this.#open();
  }

  /** Shows an address with other filters or another page. */
  move(route) {
    this.route = route;
    this.filters.update(route.query);
    this.#open();
  }

  close() {
    this.poll?.close();
    pulse.removeEventListener("counts", this.onCounts);
  }

  /** The functions of single keys. */
  keys = {
    j: () => this.#step(1),
    k: () => this.#step(-1),
    Escape: () => (this.route.query.size ? go("#/") : document.activeElement?.blur()),
    p: () => this.#act("pause"),
    r: () => this.#act("resume", "retry"),
    c: () => this.#act("cancel"),
  };

  #open() {
    rememberList();
    this.poll?.close();
    this.poll = poll(SECONDS, (signal) => this.#load(signal), (error) => this.#failed(error));
    if (!this.live.checked) this.poll.hold(true);
  }

  async #load(signal) {
    this.query = toQuery(this.route.query);
    const answer = await api.invocations(this.query, signal);
    const missing = missingText(answer.missingPartitions, "Invocations are missing");
    this.problem.hidden = !missing;
    text(this.problem, missing);
    this.next = answer.nextPageToken ?? "";
    this.#show(answer.invocations ?? []);
  }

  #failed(error) {
    this.problem.hidden = false;
    text(this.problem, api.errorText(error));
  }

  #show(page) {
    this.shown = new Map(page.map((it) => [it.invocationId, it]));
    reconcile(this.rows, page, (it) => it.invocationId, createRow, updateRow);
    this.empty.hidden = page.length > 0;
    text(this.empty, this.route.query.size ? "Nothing matches." : "Nothing has been invoked yet.");
    const number = this.#tokens().length + 1;
    const later = this.route.query.has("page");
    this.first.disabled = this.newer.disabled = !later;
    this.newer.disabled = this.#tokens().length === 0;
    this.older.disabled = !this.next;
    text(this.where, later && number === 1 ? "A later page" : `Page ${number}`);
  }

  // The tokens of the pages from the second to this one; kept in the state of the history entry.
  #tokens() {
    const tokens = history.state?.tokens ?? [];
    return tokens.at(-1) === this.route.query.get("page") ? tokens : [];
  }

  #turn(tokens) {
    const next = {};
    for (const it of new Set(this.route.query.keys())) next[it] = this.route.query.getAll(it);
    next.page = tokens.at(-1) ?? "";
    next.at = next.page && this.route.query.has("since") ? this.query.create_time_min : "";
    go(address("/", next), { state: { tokens } });
    scrollTo(0, 0);
  }

  #links() {
    return [...this.rows.querySelectorAll("a.open")];
  }

  #step(by) {
    const links = this.#links();
    const at = links.indexOf(document.activeElement);
    const to = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1);
    links[to]?.focus();
  }

  // Runs the first of some actions that is possible.
  async #act(...names) {
    const id = document.activeElement?.closest("tr")?.dataset.key;
    const it = this.shown.get(id);
    const name = it && names.find((one) => actions.allowed(it)[one]);
    if (!name) return;
    await actions[name](it);
    this.poll.now();
    this.rows.querySelector(`[data-key="${CSS.escape(id)}"] a.open`)?.focus();
  }
}

function createRow(it) {
  const cell = (name, ...content) => h("td", { class: name }, ...content);
  const row = h(
    "tr",
    {},
    cell("c-state", h("span", { class: "state" })),
    cell("c-handler", h("a", { class: "open", href: invocationAddress(it.invocationId) }, h("bdi", {}, it.handler ?? "")), it.key && h("bdi", { class: "key" }, it.key)),
    cell("c-id", h("code", { title: it.invocationId }, it.invocationId.slice(0, 12))),
    cell("c-created", h("time", { title: moment(millis(it.createTime)) })),
    cell("c-took number"),
    cell("c-steps number"),
    cell("c-attempt number"),
    cell("c-says", h("bdi", {})),
  );
  row.addEventListener("click", (event) => {
    // The whole row works as the link, except while the user selects text.
    if (event.target.closest("a") || getSelection().toString()) return;
    location.hash = invocationAddress(it.invocationId);
  });
  return row;
}

function updateRow(row, it) {
  const word = stateWord(it.state);
  showState(row.querySelector(".state"), word);
  text(row.querySelector("time"), ago(millis(it.createTime)));
  const started = millis(it.startTime);
  const end = isFinal(word) ? millis(it.completeTime) : Date.now();
  text(row.querySelector(".c-took"), span(end - started));
  text(row.querySelector(".c-steps"), String(it.journalLength ?? 0));
  text(row.querySelector(".c-attempt"), String(it.attempt ?? 0));
  const says = row.querySelector(".c-says bdi");
  text(says, saying(it, word));
  says.title = says.textContent;
}

/** Shows a state as a coloured dot and its word. */
export function showState(element, word) {
  if (element.dataset.word === word) return;
  element.dataset.word = word;
  fill(element, h("i", { class: `dot ${word}` }), stateText(word));
  element.className = `state ${word}`;
}

function saying(it, word) {
  if (it.outcome?.failure) return brief(it.outcome.failure);
  if (word === "completed") return "";
  if (it.waitingForBuild) return `waits for build ${it.waitingForBuild}, which has no worker`;
  const when = it.wakeTime ? ago(millis(it.wakeTime)) : "";
  if (word === "scheduled") return `starts ${when}`;
  if (word === "paused") return it.pause?.reason || brief(it.lastFailure);
  if (word === "backing_off") return `retry ${when} · ${brief(it.lastFailure)}`;
  if (it.pause) return "pauses after the steps in flight";
  if (it.cancel) return `asked to end${it.cancel.reason ? `: ${it.cancel.reason}` : ""}`;
  return brief(it.lastFailure);
}

// One line has room for the message or the type; the message is more useful.
function brief(failure) {
  return failure?.message || failure?.type || "";
}

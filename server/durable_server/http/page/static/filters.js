// The filters of the list. The address has all of them; these are the controls that change it.
//
//   status handler key failure   as in a Query; `status` may be repeated
//   since                        a duration up to now, such as `1h`; or `from` and `to`, as times
//   parent                       children of this invocation
//   build                        pinned to this build, and not ended
//   page at                      the opaque page token, and the time that `since` meant on the first page:
//                                a token belongs to one query, whose filters must stay the same
//   size oldest                  the page size; oldest first

import { fill, h } from "./dom.js";
import { STATES, count, stateName, stateText } from "./format.js";
import { address, go, invocationAddress } from "./router.js";
import { pulse } from "./throughput.js";

const SPANS = { "15m": ["Last 15 minutes", 900], "1h": ["Last hour", 3600], "24h": ["Last 24 hours", 86_400], "7d": ["Last 7 days", 604_800] };
const SIZES = ["25", "50", "100"];
const SIZE = "50";
const ID = /^[0-9a-f]{32}$/;
const TYPING_MS = 300;

/** The filters of an address as fields of a Query. */
export function toQuery(query) {
  const since = SPANS[query.get("since")];
  const from = since ? query.get("at") || new Date(Date.now() - since[1] * 1000).toISOString() : query.get("from");
  return {
    states: query.getAll("status").filter((it) => STATES.includes(it)).map(stateName),
    handler: query.get("handler") ?? "",
    key: query.get("key") ?? "",
    failure_text: searchable(query.get("failure") ?? ""),
    pinned_build_id: query.get("build") ?? "",
    parent_invocation_id: query.get("parent") ?? "",
    create_time_min: moment(from),
    create_time_max: moment(query.get("to")),
    oldest_first: query.has("oldest") ? "true" : "",
    page_size: SIZES.includes(query.get("size")) ? query.get("size") : SIZE,
    page_token: query.get("page") ?? "",
  };
}

// The API refuses a shorter text, because it matches too many.
function searchable(text) {
  return text.length < 3 ? "" : text;
}

function moment(text) {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? "" : new Date(time).toISOString();
}

/** The controls. They change the address; `update` makes them show an address. */
export class Filters {
  constructor(query) {
    this.query = query;
    this.states = h("div", { class: "chips", role: "group", "aria-label": "Status" });
    this.find = this.#typed("find", "Failure text, or an id", "Search by the text of the failure, or open an invocation by its id");
    this.key = this.#typed("key", "Key", "Object key");
    this.handler = this.#select("handler", "Handler", [["", "All handlers"]]);
    this.since = this.#select("since", "Created", [["", "Any time"], ...Object.entries(SPANS).map(([name, it]) => [name, it[0]]), ["between", "Between…"]]);
    this.from = this.#time("from", "Created from");
    this.to = this.#time("to", "Created before");
    this.order = this.#select("oldest", "Order", [["", "Newest first"], ["1", "Oldest first"]]);
    this.size = this.#select("size", "Page size", SIZES.map((it) => [it === SIZE ? "" : it, `${it} on a page`]));
    this.clear = h("button", { type: "button", class: "small", on: { click: () => go("#/") } }, "Clear filters");
    this.parent = h("a", { class: "chip on", title: "Show all again" });
    this.build = h("a", { class: "chip on", title: "Show all again" });
    this.element = h(
      "section",
      { class: "filters", "aria-label": "Filters" },
      this.states,
      h("div", { class: "row" }, this.find, this.handler, this.key, this.since, this.from, this.to, this.order, this.size, this.parent, this.build, this.clear),
    );
    this.update(query);
  }

  /** Shows the filters of an address. */
  update(query) {
    this.query = query;
    const failure = query.get("failure") ?? "";
    if (document.activeElement !== this.find) this.find.value = failure;
    if (document.activeElement !== this.key) this.key.value = query.get("key") ?? "";
    this.#offer();
    const between = query.has("from") || query.has("to");
    this.since.value = between ? "between" : SPANS[query.get("since")] ? query.get("since") : "";
    this.#between(between);
    this.from.value = local(query.get("from"));
    this.to.value = local(query.get("to"));
    this.order.value = query.has("oldest") ? "1" : "";
    this.size.value = SIZES.includes(query.get("size")) && query.get("size") !== SIZE ? query.get("size") : "";
    const parent = query.get("parent");
    this.parent.hidden = !parent;
    this.parent.href = this.#changed("parent", "");
    fill(this.parent, `Children of ${(parent ?? "").slice(0, 8)}… ✕`);
    const build = query.get("build");
    this.build.hidden = !build;
    this.build.href = this.#changed("build", "");
    fill(this.build, "Pinned to ", h("bdi", {}, build ?? ""), " ✕");
    this.clear.hidden = query.size === 0;
    this.count();
  }

  /** Updates the counts and the handlers. */
  count() {
    const sums = {};
    const handler = this.query.get("handler");
    for (const it of pulse.counts ?? []) {
      if (handler && it.handler !== handler) continue;
      sums[it.word] = (sums[it.word] ?? 0) + it.count;
      sums.all = (sums.all ?? 0) + it.count;
    }
    const chosen = this.query.getAll("status");
    const chip = (word, label, next, on) =>
      h(
        "a",
        { class: on ? "chip on" : "chip", href: this.#changed("status", next), "aria-current": on && "true", data: { state: word } },
        word !== "all" && h("i", { class: `dot ${word}` }),
        label,
        h("b", {}, pulse.counts ? count(sums[word] ?? 0) : ""),
      );
    const focused = this.states.contains(document.activeElement) ? document.activeElement.dataset.state : null;
    fill(
      this.states,
      chip("all", "All", [], chosen.length === 0),
      STATES.map((word) => {
        const on = chosen.includes(word);
        return chip(word, stateText(word), on ? chosen.filter((it) => it !== word) : [...chosen, word], on);
      }),
    );
    if (focused) this.states.querySelector(`[data-state="${focused}"]`)?.focus();
    if (document.activeElement !== this.handler) this.#offer();
  }

  #offer() {
    const chosen = this.query.get("handler") ?? "";
    const names = [...new Set([chosen, ...(pulse.counts ?? []).map((it) => it.handler)])].filter(Boolean).sort();
    if (this.handler.options.length !== names.length + 1) {
      fill(this.handler, h("option", { value: "" }, "All handlers"), names.map((it) => h("option", { value: it }, it)));
    }
    this.handler.value = chosen;
  }

  #between(on) {
    this.from.hidden = this.to.hidden = !on;
  }

  // The address with one filter changed, at its first page.
  #changed(name, value) {
    const next = {};
    for (const it of new Set(this.query.keys())) next[it] = this.query.getAll(it);
    next[name] = value;
    delete next.page;
    delete next.at;
    return address("/", next);
  }

  #change(name, value, replace = false) {
    go(this.#changed(name, value), { replace });
  }

  #typed(name, label, title) {
    const input = h("input", { type: "search", placeholder: label, "aria-label": title, title, maxlength: 256, autocomplete: "off", spellcheck: "false", data: { filter: name } });
    let timer = 0;
    const say = () => {
      clearTimeout(timer);
      if (!input.isConnected) return;
      const value = input.value.trim();
      if (name === "find" && ID.test(value)) go(invocationAddress(value));
      else this.#change(name === "find" ? "failure" : name, value, true);
    };
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(say, TYPING_MS);
    });
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") say();
    });
    return input;
  }

  #select(name, label, options) {
    const input = h("select", { "aria-label": label, data: { filter: name } }, options.map(([value, words]) => h("option", { value }, words)));
    input.addEventListener("change", () => {
      if (name !== "since") this.#change(name, input.value);
      else if (input.value === "between") this.#between(true);
      else {
        for (const it of ["from", "to"]) this.query.delete(it);
        this.#change(name, input.value);
      }
    });
    return input;
  }

  #time(name, label) {
    const input = h("input", { type: "datetime-local", "aria-label": label, title: label, data: { filter: name } });
    input.addEventListener("change", () => {
      this.query.delete("since");
      this.#change(name, moment(input.value));
    });
    return input;
  }
}

// The value of a local time field for a time.
function local(text) {
  const time = Date.parse(text ?? "");
  if (Number.isNaN(time)) return "";
  const shifted = new Date(time - new Date(time).getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16);
}

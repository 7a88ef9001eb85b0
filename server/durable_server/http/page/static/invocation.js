// One invocation: its state, its timeline, its values, and the actions on it. It follows the invocation live
// by server-sent events. What these do not carry (the state, the children) is requested when an event shows
// that it may have changed.

import * as actions from "./actions.js";
import * as api from "./api.js";
import { ATTEMPTS_MAX, areWorthShowing, attemptList } from "./attempts.js";
import { fill, h, text } from "./dom.js";
import { ago, count, isFinal, millis, moment, span, stateWord } from "./format.js";
import { whyEnded } from "./failures.js";
import { showState } from "./invocations.js";
import { inOrder, isOpenAwakeable } from "./journal.js";
import { stream } from "./live.js";
import { address, diffAddress, invocationAddress, toList } from "./router.js";
import { Timeline, answers } from "./timeline.js";
import { copyButton, failureView, outcomeView, payloadView } from "./value.js";

const REDRAW_MS = 1000;
const CHILDREN = 20;
const AWAKEABLES_SHOWN = 20;
const RIGHT = new Set(["output", "facts"]);
const BUTTONS = [
  ["pause", "Pause", ""],
  ["resume", "Resume", "primary"],
  ["retry", "Retry now", "primary"],
  ["restart", "Restart…", ""],
  ["cancel", "Cancel…", "danger"],
  ["purge", "Remove…", "danger"],
];

export class Invocation {
  constructor(main, route) {
    this.main = main;
    this.id = route.id;
    this.journal = new Map();
    this.attempts = new Map();
    this.cards = new Map();
    this.timeline = new Timeline();
    fill(main, h("p", { class: "empty" }, "Loading…"));
    this.stream = stream(api.watchAddress(this.id), {
      onOpen: () => (this.anew = true),
      onEvent: (name, data) => this.#onEvent(name, data),
    });
    this.timer = setInterval(() => {
      if (this.it && !document.hidden && !isFinal(stateWord(this.it.state))) this.#draw();
    }, REDRAW_MS);
  }

  move() {}

  close() {
    this.closed = true;
    this.stream.close();
    clearInterval(this.timer);
    cancelAnimationFrame(this.frame);
    clearTimeout(this.pendingLoad);
  }

  keys = {
    p: () => this.#act("pause"),
    r: () => this.#act("resume", "retry"),
    c: () => this.#act("cancel"),
    j: () => this.#step(1),
    k: () => this.#step(-1),
    Escape: toList,
  };

  async #onEvent(name, data) {
    if (name === "refused" || name === "error") return this.#refused();
    if (name !== "invocation") return;
    const { journal = [], attempts = [], ...it } = data.invocation;
    if (this.anew) {
      this.journal.clear();
      this.attempts.clear();
    }
    this.anew = false;
    for (const attempt of attempts) this.attempts.set(attempt.attempt, attempt);
    for (const entry of journal) this.journal.set(entry.index ?? 0, entry);
    // A program that has continued as new has a new journal, which begins after the old one.
    if (it.firstIndex) for (const index of this.journal.keys()) if (index < it.firstIndex) this.journal.delete(index);
    this.it = it;
    // Many events may arrive between two animation frames; they are drawn together.
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.#draw();
      this.#loadMore();
    });
  }

  // An EventSource does not report why it is refused; a plain request does.
  async #refused() {
    try {
      await api.invocation(this.id);
    } catch (error) {
      if (this.closed) return;
      if (this.stream.refusedBy(error)) return;
      this.stream.close();
      document.title = "Durable";
      fill(this.main, back(), h("p", { class: "empty", role: "alert" }, api.errorText(error)));
    }
  }

  #draw() {
    if (this.closed) return;
    const entries = this.#entries();
    if (!this.head) this.#build();
    this.#head();
    this.#callouts(entries);
    this.timeline.update(this.it, entries, this.#attempts());
    this.#cards(entries);
  }

  #attempts() {
    return [...this.attempts.values()].slice(-ATTEMPTS_MAX);
  }

  #entries() {
    return [...this.journal.values()].sort(inOrder);
  }

  #build() {
    const { it } = this;
    document.title = `${it.handler} ${this.id.slice(0, 8)} · Durable`;
    this.head = {
      state: h("span", { class: "state", "aria-live": "polite" }),
      facts: h("p", { class: "facts-line" }),
      buttons: h("div", { class: "buttons", role: "group", "aria-label": "Actions" }),
      callouts: h("div", { class: "callouts" }),
    };
    for (const [name, label, look] of BUTTONS) {
      this.head.buttons.append(h("button", { type: "button", class: look, data: { action: name }, on: { click: () => this.#act(name) } }, label));
    }
    this.columns = [h("div", {}), h("div", {})];
    fill(
      this.main,
      back(),
      h(
        "div",
        { class: "head" },
        h("div", { class: "title" }, h("h1", {}, h("bdi", {}, it.handler), it.key && h("bdi", { class: "key" }, it.key)), this.head.state),
        this.head.buttons,
      ),
      h("p", { class: "id" }, h("code", {}, this.id), navigator.clipboard && copyButton(this.id)),
      this.head.facts,
      this.head.callouts,
      this.timeline.element,
      h("div", { class: "cards" }, this.columns),
    );
  }

  #head() {
    const { it, head } = this;
    const word = stateWord(it.state);
    showState(head.state, word);
    const started = millis(it.startTime);
    const end = isFinal(word) ? millis(it.completeTime) : Date.now();
    const facts = [
      `created ${ago(millis(it.createTime))}`,
      Number.isNaN(started) ? "not started" : `${isFinal(word) ? "took" : "so far"} ${span(end - started)}`,
      it.run > 1 && `run ${it.run}`,
      `attempt ${it.attempt ?? 0}`,
      it.wakeTime && !isFinal(word) && `${word === "backing_off" ? "next try" : "goes on"} ${ago(millis(it.wakeTime))}`,
      it.deadline && !isFinal(word) && `time is up ${ago(millis(it.deadline))}`,
      it.expireTime && `is removed ${ago(millis(it.expireTime))}`,
    ];
    text(head.facts, facts.filter(Boolean).join(" · "));
    const fits = actions.allowed(it);
    for (const button of head.buttons.children) button.hidden = !fits[button.dataset.action];
  }

  // What the user must see first: why it is paused, ended or retried, and open awakeables.
  #callouts(entries) {
    const { it } = this;
    const word = stateWord(it.state);
    const awakeables = isFinal(word) ? [] : entries.filter(isOpenAwakeable);
    const why = whyEnded(it, entries);
    const form = JSON.stringify([word, it.pause, it.cancel, it.lastFailure, it.attempt, it.waitingForBuild, it.pinned, why, awakeables.map((one) => one.name)]);
    if (this.form === form) return;
    this.form = form;
    const boxes = [];
    const failure = it.outcome?.failure;
    if (failure) boxes.push(callout("bad", word === "cancelled" ? "Cancelled" : "Failed", failureView(failure, why)));
    else if (it.lastFailure && word !== "completed") boxes.push(callout("warm", `Attempt ${it.attempt ?? 0} failed`, failureView(it.lastFailure)));
    if (it.waitingForBuild) boxes.push(callout("warm", "Waits for a build that has no worker", missingBuild(it)));
    if (it.pause) boxes.push(callout("warm", word === "paused" ? "Paused" : "A pause is asked for", who(it.pause, it.pause.pauseTime)));
    if (it.cancel && word !== "cancelled") boxes.push(callout("warm", "Asked to end", who(it.cancel, it.cancel.cancelTime)));
    for (const one of awakeables.slice(0, AWAKEABLES_SHOWN)) {
      boxes.push(callout("ask", "Waits for an answer", h("p", {}, h("code", {}, one.name), ` since ${moment(millis(one.createTime))}`), h("div", { class: "buttons" }, answers(one.name, it.handler))));
    }
    if (awakeables.length > AWAKEABLES_SHOWN) boxes.push(callout("ask", `and ${count(awakeables.length - AWAKEABLES_SHOWN)} more`, h("p", {}, "They are in the timeline.")));
    fill(this.head.callouts, boxes);
  }

  // A card is rendered again only when its content has changed.
  #cards(entries) {
    const { it } = this;
    const word = stateWord(it.state);
    const why = whyEnded(it, entries);
    this.#card("input", "Input", it.input ?? null, () => payloadView(it.input));
    this.#card("output", it.outcome?.failure ? "Error" : "Output", [it.outcome, isFinal(word), why], () => (it.outcome ? outcomeView(it.outcome, why) : h("p", { class: "faint" }, "It has not ended.")));
    this.#card("state", it.key ? "State of the key" : "State", this.state, () => this.#state());
    this.#card("children", "Children", this.children, () => this.#children());
    const attempts = this.#attempts();
    if (areWorthShowing(attempts)) this.#card("attempts", "Attempts", attempts, () => attemptList(attempts));
    this.#card("facts", "Facts", { ...it, outcome: 0, input: 0, failingSteps: 0 }, () => this.#facts());
  }

  #card(name, title, seen, made) {
    const form = JSON.stringify(seen ?? null);
    let card = this.cards.get(name);
    if (!card) {
      card = { body: h("div", {}), title: h("h2", {}) };
      this.cards.set(name, card);
      this.columns[RIGHT.has(name) ? 1 : 0].append(h("section", { class: "card", data: { card: name } }, h("header", {}, card.title), card.body));
    }
    text(card.title, title);
    if (card.form === form) return;
    card.form = form;
    fill(card.body, made());
  }

  #state() {
    if (typeof this.state === "string") return h("p", { class: "faint" }, this.state);
    const names = Object.keys(this.state ?? {}).sort();
    if (names.length === 0) return h("p", { class: "faint" }, "none");
    return names.map((name) => h("div", { class: "state-value" }, h("h3", {}, h("bdi", {}, name)), payloadView(this.state[name])));
  }

  #children() {
    const found = this.children?.invocations ?? [];
    const { parentInvocationId: parent, sourceInvocationId: source, sourceIndex } = this.it;
    const lines = found.map((one) => {
      const state = h("span", {});
      showState(state, stateWord(one.state));
      return h("li", {}, state, h("a", { href: invocationAddress(one.invocationId) }, h("bdi", {}, one.handler)), one.key && h("bdi", { class: "key" }, one.key), one.sourceInvocationId && copyMarks(one), h("code", { class: "faint" }, one.invocationId.slice(0, 12)));
    });
    return [
      source && h("p", {}, sourceIndex ? `Fork before step ${sourceIndex} of ` : "Copy of ", h("a", { href: invocationAddress(source) }, h("code", {}, source)), " · ", h("a", { href: diffAddress(source, this.id) }, "Compare")),
      parent && !source && h("p", {}, "Started by ", h("a", { href: invocationAddress(parent) }, h("code", {}, parent))),
      lines.length ? h("ul", { class: "children" }, lines) : h("p", { class: "faint" }, "It has started none."),
      this.children?.nextPageToken && h("p", {}, h("a", { href: address("/", { parent: this.id }) }, "All of them")),
    ];
  }

  #facts() {
    const { it } = this;
    const facts = [
      ["Created", moment(millis(it.createTime))],
      ["Started", moment(millis(it.startTime))],
      ["Changed", moment(millis(it.updateTime))],
      ["Ended", moment(millis(it.completeTime))],
      ["Removed", moment(millis(it.expireTime))],
      ["Deadline", moment(millis(it.deadline))],
      ["Key", it.key],
      ["Idempotency key", it.idempotencyKey],
      ["Partition key", it.partitionKey],
      ["Service", it.service],
      ["Priority", it.priority],
      ["Version", it.version],
      ["Build", it.buildId && `${it.buildId}${it.pinned ? ", pinned" : ""}`],
      ["Worker", it.workerId],
      ...Object.entries(it.headers ?? {}).map(([name, value]) => [`Header ${name}`, value]),
    ].filter(([, value]) => value);
    return h("dl", { class: "table" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, h("bdi", {}, String(value))))));
  }

  // At most once a second, however often it changes.
  #loadMore() {
    this.pendingLoad ??= setTimeout(async () => {
      this.pendingLoad = undefined;
      const [state, children] = await Promise.allSettled([
        api.state(this.it),
        api.invocations({ parent_invocation_id: this.id, page_size: CHILDREN, oldest_first: "true" }),
      ]);
      if (this.closed) return;
      this.state = state.status === "fulfilled" ? (state.value.state ?? {}) : api.errorText(state.reason);
      if (children.status === "fulfilled") this.children = children.value;
      this.#cards(this.#entries());
    }, this.state === undefined ? 0 : REDRAW_MS);
  }

  // Runs the first of some actions that is possible.
  #act(...names) {
    const name = this.it && names.find((one) => actions.allowed(this.it)[one]);
    if (name) actions[name](this.it);
  }

  #step(by) {
    const rows = [...this.timeline.rows.querySelectorAll(".toggle")];
    const at = rows.indexOf(document.activeElement);
    rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1)]?.focus();
  }
}

function back() {
  const link = h("a", { href: "#/" }, "← Invocations");
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    toList();
  });
  return h("nav", { class: "crumbs", "aria-label": "Where you are" }, link);
}

// What tells a copy of an invocation from a child of its program.
function copyMarks({ invocationId, sourceInvocationId, sourceIndex }) {
  return [h("span", { class: "badge" }, sourceIndex ? `fork before step ${sourceIndex}` : "copy"), h("a", { href: diffAddress(sourceInvocationId, invocationId) }, "Compare")];
}

function callout(look, title, ...content) {
  return h("section", { class: `callout ${look}` }, h("h2", {}, title), ...content);
}

function missingBuild(it) {
  const command = it.pinned ? `durable repin ${it.invocationId} --to BUILD --module MODULE` : "durable promote BUILD";
  return h("p", {}, "No worker of build ", h("bdi", {}, it.waitingForBuild), " that serves the handler is connected. Start one, or use another build: ", h("code", {}, command));
}

function who(info, time) {
  const words = [info.identity && `by ${info.identity}`, moment(millis(time))].filter(Boolean).join(", ");
  return h("p", {}, info.reason || "No reason was given.", h("span", { class: "faint" }, ` ${words}`));
}

// The timeline: an invocation as bars on a time axis. First the invocation itself and its attempts, then its
// journal in program order, with failing steps in their places, then its present state. A row opens to its argument and its
// result. A long journal is shown in parts, so that the document stays small.

import * as actions from "./actions.js";
import { areWorthShowing, drawAttempts } from "./attempts.js";
import { may } from "./session.js";
import { fill, h, reconcile, text } from "./dom.js";
import { ago, count, isFinal, millis, moment, plural, span, stateText, stateWord } from "./format.js";
import { whyStep } from "./failures.js";
import { inOrder, isOpenAwakeable, kindOf, interval } from "./journal.js";
import { invocationAddress } from "./router.js";
import { failureText, failureView, outcomeView, payloadView } from "./value.js";

const ROWS = 200;
const TICKS = 6;
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500].concat(
  [1, 2, 5, 10, 15, 30].map((it) => it * 1000),
  [1, 2, 5, 10, 15, 30].map((it) => it * 60_000),
  [1, 2, 4, 8, 12].map((it) => it * 3_600_000),
);
const DAY = 86_400_000;
const BADGE = "From here on another attempt: after a failure, a pause, or a wait without a worker";

export class Timeline {
  constructor() {
    this.part = 0;
    this.chosenPart = false;
    this.opened = new Set();
    this.axis = h("div", { class: "axis", "aria-hidden": "true" });
    this.lines = h("div", { class: "lines", "aria-hidden": "true" });
    this.rows = h("ol", { class: "steps" });
    this.parts = h("div", { class: "pager", hidden: true });
    this.sum = h("span", { class: "faint" });
    this.element = h(
      "section",
      { class: "card timeline", "aria-label": "Timeline" },
      h("header", {}, h("h2", {}, "Timeline"), this.sum, legend()),
      h("div", { class: "chart" }, this.axis, this.lines, this.rows),
      this.parts,
    );
  }

  /** Shows an invocation, its entries in program order, and its attempts. */
  update(invocation, entries, attempts) {
    this.invocation = invocation;
    this.attempts = attempts;
    this.entries = entries;
    this.draw();
  }

  /** Draws the present state. */
  draw() {
    const { invocation, entries } = this;
    const word = stateWord(invocation.state);
    const now = Date.now();
    const end = isFinal(word) ? millis(invocation.completeTime) : now;
    // The journal is that of the last run, and the runs before may have taken months.
    const begin = invocation.run > 1 ? Math.min(...entries.map((it) => millis(it.createTime)), end) : millis(invocation.createTime);
    const failing = (invocation.failingSteps ?? []).map((step) => ({ index: step.index, step }));
    const steps = [...entries.map((entry) => ({ index: entry.index, entry })), ...failing].sort(inOrder);
    this.length = steps.length;
    const last = Math.ceil(steps.length / ROWS) - 1;
    if (!this.chosenPart) this.part = Math.max(0, last);
    this.part = Math.min(this.part, Math.max(0, last));
    const shown = steps.slice(this.part * ROWS, (this.part + 1) * ROWS);
    const due = [invocation.wakeTime, ...shown.map(({ entry }) => (entry && !entry.completeTime ? entry.dueTime : ""))].map(millis).filter((it) => it > now);
    // The axis includes due times, unless the past would become too small to read.
    const room = isFinal(word) ? end : Math.max(end, ...due.filter((it) => it - begin < 3 * (now - begin)));
    const whole = Math.max(room - begin, 1);
    const scale = { begin, whole, now: end, at: (moment) => Math.min(Math.max((moment - begin) / whole, 0), 1) };
    this.#axis(whole);
    const rows = [
      { key: "self", self: true },
      ...(areWorthShowing(this.attempts) ? [{ key: "attempts", attempts: true }] : []),
      ...shown.map(({ entry, step }) => (entry ? { key: `step-${entry.index ?? 0}`, entry, ...interval(entry) } : { key: `failing-${step.index ?? 0}`, step })),
      ...(isFinal(word) ? [] : [{ key: "now", present: true }]),
    ];
    reconcile(this.rows, rows, (it) => it.key, (it) => this.#createRow(it), (element, it) => this.#updateRow(element, it, scale, word));
    const tried = failing.length ? ` · ${count(failing.length)} failing` : "";
    text(this.sum, `${plural(entries.length, "step")}${tried} · ${span(end - begin)}`);
    this.#parts(last);
  }

  #axis(whole) {
    const step = STEPS.find((it) => whole / it <= TICKS) ?? Math.ceil(whole / TICKS / DAY) * DAY;
    const marks = [];
    for (let at = 0; at <= whole; at += step) marks.push(at);
    const follows = (parent, words) =>
      reconcile(parent, marks, (it) => it, () => h("span"), (element, it) => {
        element.style.left = `${(it / whole) * 100}%`;
        if (words) text(element, it === 0 ? "0" : tick(it));
        element.classList.toggle("late", it / whole > 0.93);
      });
    follows(this.axis, true);
    follows(this.lines, false);
  }

  #parts(last) {
    this.parts.hidden = last < 1;
    if (last < 1) return;
    const turn = (by) => () => {
      this.chosenPart = true;
      this.part += by;
      this.draw();
    };
    fill(
      this.parts,
      h("button", { type: "button", disabled: this.part === 0, on: { click: turn(-1) } }, "← Earlier steps"),
      h("button", { type: "button", disabled: this.part === last, on: { click: turn(1) } }, "Later steps →"),
      h("span", { class: "faint" }, `Steps ${count(this.part * ROWS)} to ${count(Math.min((this.part + 1) * ROWS, this.length) - 1)} of ${count(this.length)}`),
    );
  }

  #createRow(it) {
    const name = h("span", { class: "name" });
    const track = h("span", { class: "track" }, h("i", { class: "bar" }));
    const took = h("span", { class: "took" });
    if (it.attempts) return h("li", { class: "step tries" }, name, h("span", { class: "track" }), took);
    if (it.self) track.prepend(h("i", { class: "bar waiting" }));
    if (it.self || it.present) return h("li", { class: it.self ? "step self" : "step present" }, name, track, took);
    const entry = it.entry ?? it.step;
    const kind = kindOf(entry);
    const toggle = h(
      "button",
      { type: "button", class: "toggle", "aria-expanded": "false" },
      h("span", { class: "number" }, String(entry.index ?? 0)),
      h("span", { class: `kind ${kind.group}` }, kind.word),
      h("bdi", {}, entry.name ?? ""),
    );
    name.append(toggle);
    if (entry.targetInvocationId) {
      name.append(h("a", { class: "child", href: invocationAddress(entry.targetInvocationId), title: `Open ${entry.targetInvocationId}` }, "open →"));
    }
    const row = h("li", { class: it.step ? "step failing" : "step" }, name, track, took);
    const flip = () => {
      if (!this.opened.delete(entry.index ?? 0)) this.opened.add(entry.index ?? 0);
      this.draw();
    };
    toggle.addEventListener("click", flip);
    track.addEventListener("click", flip);
    return row;
  }

  #updateRow(row, it, scale, word) {
    if (it.self) this.#self(row, scale, word);
    else if (it.attempts) this.#attempts(row, scale);
    else if (it.present) this.#now(row, scale, word);
    else if (it.step) this.#failing(row, it.step, scale, word);
    else this.#step(row, it, scale);
  }

  #self(row, scale, word) {
    const { invocation } = this;
    const [waiting, bar] = row.querySelectorAll(".bar");
    const started = millis(invocation.startTime);
    text(row.querySelector(".name"), invocation.run > 1 ? `Run ${invocation.run}` : "Invocation");
    placeBar(waiting, scale, scale.begin, Number.isNaN(started) ? scale.now : started);
    waiting.title = "Accepted, and waiting for its start";
    bar.hidden = Number.isNaN(started);
    if (!bar.hidden) placeBar(bar, scale, started, scale.now);
    bar.className = `bar whole ${word}`;
    text(row.querySelector(".took"), span(scale.now - scale.begin));
  }

  #attempts(row, scale) {
    text(row.querySelector(".name"), "Attempts");
    drawAttempts(row.querySelector(".track"), this.attempts, scale.now, (bar, from, to) => placeBar(bar, scale, from, to));
    text(row.querySelector(".took"), count(this.invocation.attempt));
  }

  // The row of the present state.
  #now(row, scale, word) {
    const { invocation } = this;
    const bar = row.querySelector(".bar");
    const wake = millis(invocation.wakeTime);
    const open = this.entries.filter((it) => !it.completeTime).length;
    const says = {
      backing_off: `${this.#next()} ${ago(wake)}: ${failureText(invocation.lastFailure)}`,
      scheduled: `starts ${ago(wake)}`,
      pending: "ready, and waits for a worker with a free slot or for its turn on the key",
      running: `attempt ${invocation.attempt ?? 0} is at a worker`,
      suspended: `waits for ${plural(open, "step")} and uses no worker`,
      paused: "held until somebody resumes it",
    }[word];
    fill(row.querySelector(".name"), h("span", { class: `state ${word}` }, h("i", { class: `dot ${word}` }), stateText(word)), h("span", { class: "faint says", title: says ?? "" }, says ?? ""));
    bar.className = `bar present ${word}`;
    placeBar(bar, scale, millis(invocation.updateTime), wake > scale.now ? wake : scale.now);
    text(row.querySelector(".took"), Number.isNaN(wake) ? span(scale.now - millis(invocation.updateTime)) : "");
  }

  // What starts after the backoff: another try of the step that failed last, or a new attempt.
  #next() {
    const step = this.#failedLast();
    return step ? `try ${(step.failedTryCount ?? 0) + 1} of number ${step.index ?? 0}` : `attempt ${(this.invocation.attempt ?? 0) + 1}`;
  }

  #failedLast() {
    const { failingSteps = [], updateTime } = this.invocation;
    // A failure of the program itself is later than the failures of its steps.
    return failingSteps.find((it) => it.lastFailureTime && millis(it.lastFailureTime) >= millis(updateTime));
  }

  // A failing step: all its tries so far have failed, so it is not in the journal.
  #failing(row, step, scale, word) {
    const index = step.index ?? 0;
    const wake = millis(this.invocation.wakeTime);
    const first = millis(step.firstFailureTime);
    const until = word === "backing_off" && wake > scale.now ? wake : scale.now;
    const bar = row.querySelector(".bar");
    bar.className = "bar failing";
    placeBar(bar, scale, Number.isNaN(first) ? scale.now : first, until);
    const tries = `${plural(step.failedTryCount ?? 0, "try")} failed`;
    bar.title = `${tries}\n${moment(first)} – now`;
    showBadge(row, tries, "The step is not in the journal: it is tried again");
    text(row.querySelector(".took"), nextTryText(word, wake));
    const isOpened = this.opened.has(index);
    row.querySelector(".toggle").setAttribute("aria-expanded", String(isOpened));
    const form = `${step.failedTryCount} ${this.invocation.wakeTime ?? ""} ${word}`;
    showDetails(row, isOpened, form, () => failingDetails(step, word, wake));
  }

  #step(row, it, scale) {
    const { entry } = it;
    const index = entry.index ?? 0;
    const kind = kindOf(entry);
    const open = Number.isNaN(it.to);
    const failed = Boolean(entry.outcome?.failure);
    const bar = row.querySelector(".bar");
    const due = millis(entry.dueTime);
    bar.className = `bar ${kind.group}${open ? " open" : ""}${failed ? " bad" : ""}${kind.group === "state" && !open ? " point" : ""}`;
    placeBar(bar, scale, it.from, open ? (due > scale.now ? due : scale.now) : it.to);
    bar.title = `${kind.word} ${entry.name ?? ""}\n${moment(it.from)} – ${open ? "now" : moment(it.to)}`;
    const took = open ? span(scale.now - it.from) : it.to > it.from ? span(it.to - it.from) : "";
    text(row.querySelector(".took"), failed ? `✕ ${took}` : open ? `… ${took}` : took);
    row.classList.toggle("bad", failed);
    row.classList.toggle("asking", isOpenAwakeable(entry));
    this.#showBadge(row, entry);
    const isOpened = this.opened.has(index);
    row.querySelector(".toggle").setAttribute("aria-expanded", String(isOpened));
    this.#detail(row, it, isOpened);
  }

  // The badge of a step: the tries that failed before, and the attempt that recorded it, if that is another
  // one than that of the step before.
  #showBadge(row, entry) {
    const attempt = entry.attempt ?? 1;
    const before = (this.entries[this.entries.indexOf(entry) - 1] ?? (this.invocation.run > 1 ? entry : {})).attempt ?? 1;
    const failed = entry.failedTryCount ? `${plural(entry.failedTryCount, "try")} failed before` : "";
    showBadge(row, [failed, attempt > before && `attempt ${attempt}`].filter(Boolean).join(" · "), attempt > before ? BADGE : "");
  }

  #detail(row, it, isOpened) {
    const { entry } = it;
    const form = `${entry.completionNumber ?? 0} ${entry.completeTime ?? ""} ${stateWord(this.invocation.state)}`;
    showDetails(row, isOpened, form, () => this.#inside(it));
  }

  #inside({ entry, from, to }) {
    const facts = [
      ["began", moment(from)],
      ["ended", moment(to)],
      ["due", entry.dueTime && moment(millis(entry.dueTime))],
      ["attempt", String(entry.attempt ?? 1)],
      ["failed before", entry.failedTryCount && plural(entry.failedTryCount, "try")],
      ["completion", entry.completionNumber && `number ${entry.completionNumber}`],
    ].filter(([, value]) => value);
    const buttons = [];
    if (isOpenAwakeable(entry)) buttons.push(...answers(entry.name, this.invocation.handler));
    if (actions.allowed(this.invocation).restart && (entry.index ?? 0) > 0) {
      buttons.push(h("button", { type: "button", class: "small", on: { click: () => actions.restart(this.invocation, entry.index) } }, "Restart from here…"));
    }
    if (actions.allowed(this.invocation).fork && entry.completeTime) {
      buttons.push(h("button", { type: "button", class: "small", on: { click: () => actions.fork(this.invocation, entry) } }, "Fork from here…"));
    }
    return h(
      "div",
      { class: "detail" },
      factList(facts),
      entry.argument && [h("h3", {}, "Asked with"), payloadView(entry.argument)],
      entry.outcome && [h("h3", {}, entry.outcome.failure ? "Failed" : "Result"), outcomeView(entry.outcome, whyStep(entry))],
      buttons.length > 0 && h("div", { class: "buttons" }, buttons),
    );
  }
}

/** The buttons that resolve or reject an awakeable. */
export function answers(awakeable, handler) {
  if (!may("ResolveAwakeable", handler)) return [];
  return [
    h("button", { type: "button", class: "small primary", on: { click: () => actions.resolve(awakeable) } }, "Resolve…"),
    h("button", { type: "button", class: "small", on: { click: () => actions.reject(awakeable) } }, "Reject…"),
  ];
}

// When the next try of a step starts.
function nextTryText(word, wake) {
  if (word === "backing_off") return `next ${ago(wake)}`;
  return word === "running" ? "tried now" : stateText(word);
}

// The details of a failing step.
function failingDetails(step, word, wake) {
  const first = millis(step.firstFailureTime);
  const last = millis(step.lastFailureTime);
  const facts = [
    ["failed", plural(step.failedTryCount ?? 0, "try")],
    ["first failure", moment(first)],
    ["last failure", moment(last)],
    ["next try", word === "backing_off" && moment(wake)],
  ].filter(([, value]) => value);
  return h("div", { class: "detail" }, factList(facts), step.lastFailure && [h("h3", {}, "Failed last with"), failureView(step.lastFailure)]);
}

function factList(facts) {
  return h("dl", { class: "facts" }, facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

// Shows the details of a row; renders them again only when `form` has changed.
function showDetails(row, isOpened, form, made) {
  const old = row.querySelector(".detail");
  if (!isOpened) old?.remove();
  else if (old?.dataset.form !== form) {
    const detail = made();
    detail.dataset.form = form;
    if (old) old.replaceWith(detail);
    else row.append(detail);
  }
}

function showBadge(row, words, title) {
  let it = row.querySelector(".badge");
  if (!words) return it?.remove();
  if (!it) {
    it = h("span", { class: "badge" });
    row.querySelector(".toggle").append(it);
  }
  text(it, words);
  it.title = title;
}

function placeBar(bar, scale, from, to) {
  const left = scale.at(from);
  bar.style.left = `${left * 100}%`;
  bar.style.width = `${(scale.at(to) - left) * 100}%`;
}

function tick(ms) {
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${ms / 1000} s`;
  const seconds = (ms % 60_000) / 1000;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min${seconds ? ` ${seconds} s` : ""}`;
  return ms < DAY ? `${ms / 3_600_000} h` : `${ms / DAY} d`;
}

function legend() {
  const of = (group, words) => [h("i", { class: `swatch ${group}` }), words];
  return h("span", { class: "legend faint", "aria-hidden": "true" }, of("work", "step"), of("wait", "wait"), of("child", "child"), of("bad", "failed"));
}

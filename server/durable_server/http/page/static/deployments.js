// The deployments: the builds of code that workers run, what needs each of them, and which gets the new
// invocations of a handler. Its buttons promote a build, take a promotion back, and drain a build.

import * as api from "./api.js";
import { note, numberField, openDialog, textField } from "./dialogs.js";
import { attribute, fill, h, reconcile, text } from "./dom.js";
import { ago, count, millis, missingText, moment, plural } from "./format.js";
import { poll } from "./live.js";
import { address } from "./router.js";
import { may } from "./session.js";

const SECONDS = 3;
const HANDLERS = 12;
const BUILD_HEADS = ["Build", "State", "Workers", "Pinned", "Waiting", "Running", "Serves", ""];
const ROUTE_HEADS = ["Handler", "Current", "Ramping up", "Before", "Changed", "Reason"];
const NUMBERS = new Set(["Workers", "Pinned", "Waiting", "Running"]);

export class Deployments {
  keys = {};

  constructor(main) {
    this.builds = h("tbody", {});
    this.routes = h("tbody", {});
    this.empty = h("p", { class: "empty", hidden: true }, "No worker has said which build it runs.");
    this.problem = h("p", { class: "form-error", role: "alert", hidden: true });
    this.routed = h(
      "section",
      { class: "part", "aria-label": "New invocations", hidden: true },
      h("header", {}, h("h2", {}, "New invocations")),
      h("div", { class: "sheet-table" }, table("routes", "Routes of handlers", ROUTE_HEADS, this.routes)),
    );
    fill(
      main,
      h("h1", {}, "Deployments"),
      this.problem,
      h("div", { class: "sheet-table" }, table("builds", "Builds", BUILD_HEADS, this.builds), this.empty),
      this.routed,
    );
    this.poll = poll(SECONDS, async (signal) => this.#show(await api.deployments(signal)));
  }

  move() {}

  close() {
    this.poll.close();
  }

  #show(answer) {
    const { deployments = [], routes = [] } = answer;
    const again = () => this.poll.now();
    reconcile(this.builds, deployments, (it) => it.buildId, (it) => createBuild(it, again), (row, it) => updateBuild(row, it, routes));
    reconcile(this.routes, routes, (it) => it.handler, createRoute, updateRoute);
    this.empty.hidden = deployments.length > 0;
    this.routed.hidden = routes.length === 0;
    const missing = missingText(answer.missingPartitions, "Invocations are not counted");
    this.problem.hidden = !missing;
    text(this.problem, missing);
  }
}

function table(name, label, heads, rows) {
  const head = (it) => (it ? h("th", { scope: "col", class: NUMBERS.has(it) && "number" }, it) : h("td", {}));
  return h("table", { class: `wide ${name}`, "aria-label": label }, h("thead", {}, h("tr", {}, heads.map(head))), rows);
}

function cell(name, label, ...content) {
  return h("td", { class: `c-${name}${NUMBERS.has(label) ? " number" : ""}`, data: { label } }, ...content);
}

function createBuild(it, again) {
  const build = it.buildId;
  const button = (name) => h("button", { type: "button", class: "small", data: { act: name }, on: { click: async () => (await ACTS[name](build)) && again() } });
  return h(
    "tr",
    {},
    h("td", { class: "c-handler" }, h("bdi", {}, build), h("time", { class: "about faint", title: moment(millis(it.createTime)) })),
    cell("state", "State", h("span", { class: "state" }, h("i", {}), h("span", {}))),
    cell("workers", "Workers"),
    cell("pinned", "Pinned", h("a", { href: address("/", { build }) })),
    cell("waiting", "Waiting"),
    cell("running", "Running"),
    cell("serves", "Serves"),
    h("td", { class: "c-act" }, h("div", { class: "buttons" }, Object.keys(ACTS).map(button))),
  );
}

function updateBuild(row, it, routes) {
  const [dot, words] = stateOf(it, routes);
  attribute(row.querySelector(".c-state i"), "class", `dot ${dot}`);
  text(row.querySelector(".c-state .state > span"), words);
  row.querySelector(".c-state").classList.toggle("bad", dot === "failed");
  text(row.querySelector("time"), it.createTime ? `registered ${ago(millis(it.createTime))}` : "");
  text(row.querySelector(".c-workers"), count(it.workerCount ?? 0));
  text(row.querySelector(".c-pinned a"), count(Number(it.pinnedCount ?? 0)));
  text(row.querySelector(".c-waiting"), count(Number(it.waitingCount ?? 0)));
  text(row.querySelector(".c-running"), count(Number(it.runningCount ?? 0)));
  const names = it.handlers ?? [];
  text(row.querySelector(".c-serves"), names.slice(0, HANDLERS).join(", ") + (names.length > HANDLERS ? ` and ${count(names.length - HANDLERS)} more` : ""));
  const fits = possible(it, routes);
  for (const button of row.querySelectorAll("button")) {
    const { act } = button.dataset;
    attribute(button, "hidden", !fits[act]);
    attribute(button, "aria-label", `${LABELS[act]} ${it.buildId}…`);
    text(button, `${LABELS[act]}…`);
  }
}

/** Returns the colour and the words for the state of a build. */
export function stateOf(it, routes) {
  const { buildId: build, workerCount: workers = 0 } = it;
  const pinned = Number(it.pinnedCount ?? 0);
  const current = routes.filter((one) => one.buildId === build).length;
  const ramping = routes.filter((one) => one.rampingBuildId === build);
  const words = [];
  const missing = !workers && (pinned || current || ramping.length);
  if (missing) words.push(`missing: ${pinned ? `${count(pinned)} pinned and ` : ""}no worker`);
  if (current) words.push(`current for ${plural(current, "handler")}`);
  for (const [percent, some] of Map.groupBy(ramping, (one) => one.rampingPercent)) words.push(`ramping ${percent} % for ${plural(some.length, "handler")}`);
  const stoppable = it.drained && workers ? ": may be stopped" : "";
  const routed = new Set(routes.map((one) => one.handler));
  const gone = !current && ramping.length === 0 && it.handlers?.length > 0 && it.handlers.every((one) => routed.has(one));
  if (it.draining) words.push(`${it.drained ? "drained" : "draining"}${stoppable}`);
  else if (gone) words.push(`gets nothing new${stoppable}`);
  if (words.length === 0) words.push(workers ? "serving" : "no worker");
  const dot = missing ? "failed" : it.draining || gone ? "paused" : workers ? "completed" : "cancelled";
  return [dot, words.join(", ")];
}

function possible(it, routes) {
  const { buildId: build, handlers = [] } = it;
  const permitted = (rpc) => handlers.some((one) => may(rpc, one));
  const known = Boolean(it.createTime);
  const current = routes.some((one) => one.buildId === build);
  const named = routes.some((one) => one.rampingBuildId === build || (one.buildId === build && one.previousBuildId));
  return {
    promote: known && permitted("PromoteBuild"),
    rollBack: named && permitted("RollBackBuild"),
    drain: known && !it.draining && !current && permitted("DrainBuild"),
    undoDrain: known && it.draining && permitted("DrainBuild"),
  };
}

const LABELS = { promote: "Promote", rollBack: "Roll back", drain: "Drain", undoDrain: "Undo drain of" };

const ACTS = { promote, rollBack, drain, undoDrain };

function promote(build) {
  return openDialog({
    title: `Give new invocations to build ${build}?`,
    words: "They go to its workers from now on. What has a journal already goes on where it is.",
    confirm: "Promote it",
    fields: [
      numberField("percent", "Its share, in percent", 100, 100, "The build that is current now gets the rest."),
      textField("handlers", "Only these handlers", "With commas between; empty for all that it serves."),
      textField("reason", "Reason, for others"),
    ],
    act: async ({ percent, handlers, reason }) => {
      if (percent < 1) throw new Error("The share must be from 1 to 100 percent.");
      const { routes = [] } = await api.promoteBuild(build, { percent, handlers: handlers.split(",").map((it) => it.trim()).filter(Boolean), reason });
      note(`Build ${build} is promoted for ${plural(routes.length, "handler")}.`);
      return true;
    },
  });
}

function rollBack(build) {
  return openDialog({
    title: `Take the last promotion of build ${build} back?`,
    words: "The build that was current before gets the new invocations again. What this one has begun goes on with it.",
    confirm: "Roll it back",
    danger: true,
    fields: [textField("reason", "Reason, for others")],
    act: async (fields) => {
      const { routes = [] } = await api.rollBackBuild(build, fields);
      note(`Build ${build} is rolled back for ${plural(routes.length, "handler")}.`);
      return true;
    },
  });
}

function drain(build) {
  return openDialog({
    title: `Give build ${build} no new invocations?`,
    words: "Its workers go on with what they have. They may be stopped when this view says that the build is drained.",
    confirm: "Drain it",
    fields: [textField("reason", "Reason, for others")],
    act: async (fields) => {
      await api.drainBuild(build, { ...fields, undo: false });
      note(`Build ${build} gets no new invocations.`);
      return true;
    },
  });
}

function undoDrain(build) {
  return openDialog({
    title: `Let build ${build} have new invocations again?`,
    confirm: "Undo the drain",
    act: async () => {
      await api.drainBuild(build, { undo: true });
      note(`Build ${build} may have new invocations again.`);
      return true;
    },
  });
}

function createRoute(it) {
  return h(
    "tr",
    {},
    h("td", { class: "c-handler" }, h("a", { href: address("/", { handler: it.handler }) }, it.handler)),
    cell("current", "Current", h("bdi", {})),
    cell("ramping", "Ramping up", h("bdi", {}), h("span", {})),
    cell("before", "Before", h("bdi", {})),
    cell("changed", "Changed", h("time", {}), h("span", { class: "about faint" }, h("bdi", {}))),
    cell("reason", "Reason", h("bdi", {})),
  );
}

function updateRoute(row, it) {
  const set = (name, words) => text(row.querySelector(`.c-${name} bdi`), words || "–");
  set("current", it.buildId);
  set("ramping", it.rampingBuildId);
  text(row.querySelector(".c-ramping span"), it.rampingPercent ? ` ${it.rampingPercent} %` : "");
  set("before", it.previousBuildId);
  const time = row.querySelector("time");
  text(time, ago(millis(it.updateTime)));
  time.title = moment(millis(it.updateTime));
  text(row.querySelector(".c-changed bdi"), it.identity ? `by ${it.identity}` : "");
  set("reason", it.reason);
}

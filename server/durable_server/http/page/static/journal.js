// Journal entries: their kinds, and their place on the time axis.

import { millis } from "./format.js";

// The group of a kind determines its colour. All others are in the group "state": the control plane completes
// them at once.
const GROUPS = {
  RUN: "work",
  CALL: "work",
  SLEEP: "wait",
  AWAKEABLE: "wait",
  ATTACH: "wait",
  SIGNAL: "wait",
  INVOKE: "child",
  SEND: "child",
};

// The words for kinds whose name in the API is not the word for people.
const WORDS = { RUN: "step", INVOKE: "child" };

/** The kind of an entry: `{ name, word, group }`. */
export function kindOf(entry) {
  const name = (entry.kind ?? "").replace("ENTRY_KIND_", "");
  const word = WORDS[name] ?? (name.toLowerCase().replaceAll("_", " ") || "unknown");
  return { name, word, group: GROUPS[name] ?? "state" };
}

/** Compares entries, and failing steps that have no entry yet, in program order. */
export function inOrder(one, other) {
  return (one.index ?? 0) - (other.index ?? 0);
}

/** Whether an entry is an open awakeable. */
export function isOpenAwakeable(entry) {
  return kindOf(entry).name === "AWAKEABLE" && !entry.completeTime;
}

/** When an entry began and ended: `{ from, to }`, where `to` is NaN while it is open. */
export function interval(entry) {
  return { from: millis(entry.createTime), to: millis(entry.completeTime) };
}

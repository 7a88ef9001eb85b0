// Journal entries: their kinds, and their place on the time axis.

import { millis } from "./format.js";

// The kinds of the API: a word, and the group that determines the colour.
const KINDS = {
  RUN: ["step", "work"],
  CALL: ["call", "work"],
  SLEEP: ["sleep", "wait"],
  AWAKEABLE: ["awakeable", "wait"],
  GET_STATE: ["get state", "state"],
  SET_STATE: ["set state", "state"],
  CLEAR_STATE: ["clear state", "state"],
  STATE_KEYS: ["state keys", "state"],
  INVOKE: ["child", "child"],
  SEND: ["send", "child"],
  ATTACH: ["attach", "wait"],
  SIGNAL: ["signal", "wait"],
  RESOLVE: ["resolve", "state"],
  CANCEL: ["cancel", "state"],
};

/** The kind of an entry: `{ name, word, group }`. */
export function kindOf(entry) {
  const name = (entry.kind ?? "").replace("ENTRY_KIND_", "");
  const [word, group] = KINDS[name] ?? [name.toLowerCase() || "unknown", "state"];
  return { name, word, group };
}

/** Compares entries, and failing steps that have no entry yet, in program order. */
export function inOrder(one, other) {
  return (one.index ?? 0) - (other.index ?? 0);
}

/** Whether an entry is not completed yet. */
function isOpen(entry) {
  return !entry.completeTime && kindOf(entry).name !== "SEND" && kindOf(entry).group !== "state";
}

/** Whether an entry is an open awakeable. */
export function isOpenAwakeable(entry) {
  return kindOf(entry).name === "AWAKEABLE" && !entry.completeTime;
}

/** When an entry began and ended: `{ from, to }`, where `to` is NaN while it is open. */
export function interval(entry) {
  const from = millis(entry.createTime);
  return { from, to: entry.completeTime ? millis(entry.completeTime) : isOpen(entry) ? NaN : from };
}

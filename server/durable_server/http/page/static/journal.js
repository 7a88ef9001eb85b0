// What journal entries mean: their kinds, and where they lie in time.
//
// Theory. An entry that waits (a timer, an awakeable, a child) is journaled when it begins and again
// when it ends. A step or a call is journaled once, with its result, when it ends: its beginning is not
// in the log. Its bar begins at the last event that the journal has before it in program order, and so
// holds what came between: retries of the step and pauses too. That is exact for steps in a row; one
// that ran beside others may have begun before its bar does. The page marks such a span with `~`.

import { millis } from "./format.js";

// kind of the API: its word, and the group that chooses the colour.
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

/** Whether an entry is still waited for. */
function isOpen(entry) {
  return !entry.completeTime && kindOf(entry).name !== "SEND" && kindOf(entry).group !== "state";
}

/** Whether an entry is an awakeable that nobody has answered. */
export function isAsking(entry) {
  return kindOf(entry).name === "AWAKEABLE" && !entry.completeTime;
}

/**
 * Where each entry lies: a list of `{ entry, from, to, about }` in program order. `to` is NaN for an
 * entry that is open, `about` says that the beginning is not in the log.
 */
export function placed(invocation, entries) {
  let asked = millis(invocation.startTime) || millis(invocation.createTime);
  const ends = []; // of the entries so far, in the order of time
  return entries.map((entry) => {
    const created = millis(entry.createTime);
    const to = entry.completeTime ? millis(entry.completeTime) : isOpen(entry) ? NaN : created;
    const about = kindOf(entry).group === "work";
    if (!about) asked = Math.max(asked, created);
    const from = about ? Math.max(asked, ends[place(ends, to) - 1] ?? asked) : created;
    if (!Number.isNaN(to)) ends.splice(place(ends, to), 0, to);
    return { entry, from: Math.min(from, to || from), to, about };
  });
}

// How many of these sorted moments are before one.
function place(moments, moment) {
  let low = 0;
  let high = moments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (moments[middle] < moment) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The comparison of two runs: how they begin, their journals step by step, and how they end. The rules are those
// of `durable diff`: steps are aligned by their place, values are compared as JSON values, and what differs
// between any two runs does not count (times, attempts, ids of children, the own id in a text).

import { decoded, endpoint, isEncoded } from "./codec.js";
import { isFinal, stateWord } from "./format.js";
import { exact } from "./json.js";
import { kindOf } from "./journal.js";
import { valueText } from "./value.js";

const OWN_ID = "<this invocation>";
const CHILD_ID = "<its child>";

/**
 * Compares two invocations with their journals. Resolves to rows `{ part, index, first, second, differs }`:
 * `part` is "input", "step" or "end", `first` and `second` are the invocation or the entry, undefined if
 * a run has no such step, and `differs` is whether they differ.
 */
export async function compare(first, second) {
  const [one, other] = await Promise.all([facts(first), facts(second)]);
  const rows = [{ part: "input", first, second, differs: one.input !== other.input }];
  const places = [...new Set([...one.steps.keys(), ...other.steps.keys()])].sort((it, that) => it - that);
  for (const place of places) {
    const [left, right] = [one.steps.get(place), other.steps.get(place)];
    rows.push({
      part: "step",
      index: (left ?? right).entry.index ?? 0,
      first: left?.entry,
      second: right?.entry,
      differs: left?.form !== right?.form,
    });
  }
  rows.push({ part: "end", first, second, differs: one.end !== other.end });
  return rows;
}

// What counts of a run, as texts: equal ones are the same.
async function facts(it) {
  const own = it.invocationId;
  const steps = new Map();
  const entries = it.journal ?? [];
  const forms = await Promise.all(entries.map((entry) => step(entry, own)));
  entries.forEach((entry, at) => steps.set((entry.index ?? 0) - (it.firstIndex ?? 0), { entry, form: forms[at] }));
  return {
    steps,
    input: JSON.stringify([it.handler, it.key ?? "", await value(it.input, own)]),
    end: JSON.stringify([stateWord(it.state), isFinal(stateWord(it.state)) && (await outcome(it.outcome, own))]),
  };
}

async function step(entry, own) {
  let end = await outcome(entry.outcome, own);
  if (entry.targetInvocationId && end === (await value({ data: btoa(`"${entry.targetInvocationId}"`) }, own))) end = CHILD_ID;
  return JSON.stringify([kindOf(entry).name, without(entry.name ?? "", own), await value(entry.argument, own), Boolean(entry.completeTime), end]);
}

// A failure counts by what it says, not by where in the code it was raised.
async function outcome(it, own) {
  if (!it) return null;
  if (!it.failure) return value(it.value, own);
  const { type, message, code, metadata } = it.failure;
  return without(JSON.stringify(["failure", type, message, code, Object.entries(metadata ?? {}).sort()]), own);
}

async function value(it, own) {
  if (!it) return null;
  let plain = it;
  if (isEncoded(it) && endpoint()) plain = await decoded(it).catch(() => it);
  const words = valueText(plain);
  return without(words === null ? `${plain.contentType ?? ""} ${plain.data ?? ""}` : exact(words), own);
}

function without(words, own) {
  return words.replaceAll(own, OWN_ID);
}

// The actions on an invocation, and when each is possible. An action that cannot be undone asks for
// confirmation first. The control plane decides; a refusal is shown with its reason.

import * as api from "./api.js";
import { decoded, encoded, endpoint, isEncoded } from "./codec.js";
import { jsonField, note, numberField, openDialog, switchField, textField } from "./dialogs.js";
import { isFinal, stateWord } from "./format.js";
import { kindOf } from "./journal.js";
import { problem } from "./json.js";
import { go, invocationAddress } from "./router.js";
import { may } from "./session.js";
import { payload, valueText } from "./value.js";

/** The type of a rejection; the SDK and `/api` use the same. */
const REJECTION = "durable.Rejected";
/** The type of a failure that a fork gives to a step; the SDK uses the same. */
const EDITED = "durable.Edited";
/** The kinds of entries whose outcome says only that they are over. */
const ENDS_ONLY = ["SLEEP", "CANCEL"];

/** The RPC of each action. */
const RPCS = { pause: "Pause", resume: "Resume", retry: "Resume", cancel: "Cancel", restart: "Restart", fork: "Restart", purge: "Purge" };

/** Returns which actions are possible in the present state of an invocation, and permitted. */
export function allowed(it) {
  const fits = possible(it);
  for (const [name, rpc] of Object.entries(RPCS)) fits[name] &&= may(rpc, it.handler);
  return fits;
}

function possible(it) {
  const word = stateWord(it.state);
  const final = isFinal(word);
  return {
    pause: !final && word !== "paused" && !it.pause,
    resume: !final && Boolean(it.pause),
    retry: word === "backing_off" && !it.pause,
    cancel: !final,
    restart: final || word === "paused",
    fork: true,
    purge: final,
  };
}

async function atOnce(work, done) {
  try {
    const answer = await work();
    note(done(answer));
    return true;
  } catch (error) {
    note(api.errorText(error), true);
    return false;
  }
}

/** Pauses it at its next step. */
export function pause(it) {
  return atOnce(
    () => api.pause(it.invocationId),
    (answer) => (stateWord(answer.state) === "paused" ? "It is paused." : "It pauses when the steps in flight are done."),
  );
}

/** Resumes it, or starts its next attempt now. */
export function resume(it) {
  return atOnce(() => api.resume(it.invocationId), () => "Resumed.");
}

/** Starts the next try now, without waiting for the end of the backoff. */
export function retry(it) {
  return atOnce(() => api.resume(it.invocationId), () => "The next try begins now.");
}

/** Cancels it. */
export function cancel(it) {
  return openDialog({
    title: "Cancel this invocation?",
    words: "The handler sees the cancellation at its next step and may undo what it did.",
    confirm: "Cancel it",
    danger: true,
    fields: [
      textField("reason", "Reason, for others and for the handler"),
      switchField("force", "By force", "Ends it at once, and what it did is not undone."),
    ],
    act: async (fields) => {
      const answer = await api.cancel(it.invocationId, fields);
      note(stateWord(answer.state) === "cancelled" ? "Cancelled." : "It was asked to end.");
      return true;
    },
  });
}

/** Restarts it as a new invocation with the same input; keeps the steps before `from`. */
export async function restart(it, from = 0) {
  const length = it.journalLength ?? 0;
  const keeps = numberField("fromIndex", "Keep the steps before number", from, length, "0 keeps none: all steps run again. Steps that are kept are copied with their results.");
  const id = await openDialog({
    title: "Restart as a new invocation?",
    words: "It gets the same input. This one stays as it is.",
    confirm: "Restart",
    fields: [keeps, textField("reason", "Reason, for others")],
    act: async (fields) => (await api.restart(it.invocationId, fields)).invocationId,
  });
  if (!id) return;
  note("Restarted: this is the new invocation.");
  go(invocationAddress(id));
}

/**
 * Forks it: a new invocation keeps its steps up to an entry, perhaps with another outcome of that entry or
 * another input, and goes on from there.
 */
export async function fork(it, entry) {
  const index = entry.index ?? 0;
  const before = { input: await text(it.input) };
  const fields = [numberField("fromIndex", "Keep the steps before number", index + 1, (it.firstIndex ?? 0) + (it.journalLength ?? 0), "Steps that are kept are copied with their results; all others run.")];
  if (entry.outcome && !ENDS_ONLY.includes(kindOf(entry).name)) {
    before.result = entry.outcome.failure ? "" : await text(entry.outcome.value);
    if (before.result !== null) fields.push(jsonField("result", `Result of step ${index}, as JSON`, before.result, checkedIfAny));
    fields.push(textField("failure", `Or let step ${index} have failed, with this message`));
  }
  if (before.input !== null) fields.push(jsonField("input", "Input, as JSON", before.input, checkedIfAny));
  fields.push(textField("reason", "Reason, for others"));
  const id = await openDialog({
    title: `Fork from step ${index}?`,
    words: "A new invocation goes on from here. This one stays as it is.",
    confirm: "Fork",
    fields,
    act: async (given) => (await api.restart(it.invocationId, await forkOf(index, given, before))).invocationId,
  });
  if (!id) return;
  note("Forked: this is the new invocation.");
  go(invocationAddress(id));
}

// The request: it has only what the user has changed.
async function forkOf(index, given, before) {
  const { fromIndex, reason, failure, result, input } = given;
  const fields = { fromIndex, reason, whileRunning: true };
  if (failure) fields.outcomes = { [index]: { failure: { type: EDITED, message: failure, terminal: true } } };
  else if (result && result !== before.result) fields.outcomes = { [index]: { value: await encoded(payload(result)) } };
  if (input && input !== before.input) fields.input = await encoded(payload(input));
  return fields;
}

// The JSON text of a payload, decoded; null if it is none.
async function text(it) {
  if (!it) return null;
  return valueText(isEncoded(it) && endpoint() ? await decoded(it).catch(() => it) : it);
}

/** Purges it. */
export async function purge(it) {
  const done = await openDialog({
    title: "Remove this invocation for good?",
    words: "Its input, journal and result are gone then, before their retention is over.",
    confirm: "Remove it",
    danger: true,
    act: async () => {
      await api.purge(it.invocationId);
      return true;
    },
  });
  if (!done) return;
  note("Removed.");
  go("#/");
}

/** Resolves an awakeable with a value. */
export function resolve(awakeable) {
  return openDialog({
    title: "Resolve the awakeable",
    words: awakeable,
    confirm: "Resolve",
    fields: [jsonField("value", "Value, as JSON", "null", checked)],
    act: async ({ value }) => {
      await api.settle(awakeable, { value: await encoded(payload(value)) });
      note("Resolved.");
      return true;
    },
  });
}

/** Rejects an awakeable. */
export function reject(awakeable) {
  return openDialog({
    title: "Reject the awakeable?",
    words: awakeable,
    confirm: "Reject",
    danger: true,
    fields: [textField("message", "Why, for the handler")],
    act: async ({ message }) => {
      await api.settle(awakeable, { failure: { type: REJECTION, message, terminal: true } });
      note("Rejected.");
      return true;
    },
  });
}

function checkedIfAny(text) {
  return text.trim() && checked(text);
}

function checked(text) {
  const wrong = problem(text);
  if (wrong) throw new Error(`This is no JSON: ${wrong}`);
  return text;
}

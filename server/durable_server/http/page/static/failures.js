// Why a failure is final. The API has the failure, and the number of tries of a step that had failed before;
// the texts here claim no more than follows from that. `http/final_reasons.py` has the same rules.

import { plural } from "./format.js";
import { kindOf } from "./journal.js";

const TERMINAL = "durable.TerminalError";

// The failures with which the system itself ends an invocation.
const ENDS = {
  "durable.Cancelled": "it was cancelled",
  "durable.TimedOut": "the time that its handler allows was up",
  "durable.InvalidInput": "its input does not fit the handler, and no retry changes that",
};

/** Why a failed journal entry is not retried; empty unless it has failed for good. */
export function whyStep(entry) {
  const failure = entry.outcome?.failure;
  if (!failure?.terminal) return "";
  const { name, group } = kindOf(entry);
  if (name === "AWAKEABLE" || name === "SIGNAL") return failure.type === "durable.GivenUp" ? "the program has given the wait up" : "it was rejected";
  if (name === "INVOKE" || name === "ATTACH") return failure.type === "durable.Cancelled" ? "the other invocation was cancelled" : "the other invocation has ended with it";
  if (group !== "work") return "the control plane has refused it";
  const before = entry.failedTryCount ?? 0;
  if (isTerminal(failure)) return before ? `no retry after ${plural(before + 1, "try")}: it raised a terminal error` : "no retry: it raised a terminal error";
  if (before) return `no retry after ${plural(before + 1, "try")}: the tries that its retry policy permits are used up, or it does not retry this error`;
  return "no retry: it is a terminal error, or its retry policy does not retry it";
}

/** Why a failed invocation is not retried, given its journal. */
export function whyEnded(it, entries) {
  const failure = it.outcome?.failure;
  if (!failure?.terminal) return "";
  const known = ENDS[failure.type];
  if (known) return `no retry: ${known}`;
  const step = failedBy(failure, entries);
  if (step) return `no retry: the program did not handle the failure of number ${step.index ?? 0}, ${step.name || kindOf(step).word} (${whyStep(step)})`;
  if (isTerminal(failure)) return "no retry: the program raised a terminal error";
  return `no retry: attempt ${it.attempt ?? 0} was the last that the retry policy permits, or it is an error that is not retried`;
}

/** The entry whose failure the program did not catch: the message begins with the step's name. */
function failedBy(failure, entries) {
  const says = (entry, own) => failure.type === own.type && failure.message === `${entry.name ?? ""}: ${own.type}: ${own.message ?? ""}`;
  return entries.findLast((entry) => entry.outcome?.failure && says(entry, entry.outcome.failure));
}

function isTerminal(failure) {
  return failure.type === TERMINAL || Boolean(failure.code);
}

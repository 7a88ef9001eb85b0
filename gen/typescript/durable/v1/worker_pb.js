// The worker protocol: how code that runs invocations talks with the control plane.
//
// A worker dials the control plane and opens one Session stream for as long as it lives. Everything
// goes through that stream, batched: each side puts into one frame whatever has accumulated while
// the frame before was being written. Messages within a frame, and frames within a stream, are
// handled in order.
//
// 1. Hello. The worker's first message is a Hello; the server answers with a Welcome, or ends the
//    stream with FAILED_PRECONDITION / PROTOCOL_VIOLATION or INVALID_ARGUMENT / INVALID_FIELD. These
//    would come again: the worker is to be corrected. After every other end of a stream it connects
//    again, with pauses that grow, but stay well below `reconnect_grace`: mind those of the gRPC
//    library itself, which may grow to minutes.
//
// 2. Work. The server sends Start, at most `slot_count` of them at a time. The pair (invocation id,
//    attempt) names the work; the worker that got it owns it until one of Finished, AttemptFailed,
//    Held, Released (worker's), or Suspended or Abandon (server's). A message for a pair that the
//    session does not own is dropped, never an error: it is what a reconnect leaves behind. What
//    ends the ownership is not acknowledged: when the stream breaks after it, the worker may keep the
//    pair, list it after the reconnect and say it again, or forget it. Then the server starts the
//    invocation anew, unless the message has arrived.
//
// 3. The journal. The program's durable operations are numbered from 0 in the order in which it asks
//    for them. For RUN and CALL the worker does the work and sends one EntryRecorded with the outcome,
//    and with how long it took. For every other kind it sends EntryRecorded without an outcome and goes
//    on; the server answers later with a Completion (SET_STATE and CLEAR_STATE have none: they are done
//    when they are acknowledged). An outcome that the worker made counts only once it is acknowledged:
//    the worker MUST NOT let the program see it before its Ack. Entries of one invocation MUST be
//    sent in the order in which they got ready; their indexes need not be in order. Every
//    EntryRecorded gets an Ack. A value over the limit `payload_bytes` fails the invocation with
//    `durable.PayloadTooLarge`, an index beyond `journal_entries` or values beyond `journal_bytes`
//    hold it; the worker then gets an Abandon.
//
//    What each kind is and how it completes:
//    - SLEEP: after `delay`, with null.
//    - AWAKEABLE: `name` is its id, 1 to 256 bytes. The worker makes it: `<invocation id>-<index>`
//      when the program gives none, `<invocation id>.<name>` for a named promise. It completes with
//      the first outcome that anybody gives it, also when that came before. An id belongs to the
//      invocation that asked for it first; asked for by another it completes with the failure
//      `durable.AwakeableTaken`. With `schema` an outcome that does not fit is refused where it is
//      given. One that came before, or that a worker cannot decode all the same, can be replaced: an
//      entry with `renew` forgets the outcome that its id has, and waits for another.
//    - SIGNAL: `name` is the signal's; it completes with the oldest buffered one of that name, or
//      with the next that comes. Several are served in the order in which they were recorded. `schema`
//      as for AWAKEABLE. A program that gives the wait up (a timeout, a race that it lost, a task that
//      is cancelled) must say so with CANCEL, or it would take a signal that nobody gets.
//    - INVOKE: `name` is the handler, `target` the object key, `argument` the input. Completes with
//      the child's outcome; the failure of a cancelled child has the type `durable.Cancelled`. The
//      child inherits headers and the service label. With `idempotency_key` it may be an invocation
//      that exists; asked for with another input it fails with `durable.IdempotencyMismatch`.
//    - SEND: as INVOKE, for a start after `delay`. Completes at once, with the id as a JSON string.
//    - ATTACH: `target` is an invocation; completes with its outcome, or with the failure
//      `durable.InvocationNotFound`.
//    - RESOLVE: resolves the awakeable `name` with `argument`, or rejects it with `outcome.failure`;
//      with a `target`, delivers the signal `name` to that invocation instead. Completes at once:
//      with null, or with the failure `durable.AwakeableNotFound`, `durable.AlreadyResolved`,
//      `durable.InvocationNotFound`, `durable.InvalidState` or `durable.LimitReached`.
//      ATTACH and CANCEL have the target as their `name` too.
//    - CANCEL: cancels the invocation `target`; `#INDEX` names the one that INVOKE or SEND entry of
//      this journal started, unless it was found by its idempotency key and somebody else has
//      started it, or another entry of this journal waits for it or has sent it. Completes at once with null, whatever
//      became of it. Where the entry `#INDEX` is a SIGNAL, its wait is given up: an open one completes with the failure
//      `durable.GivenUp` and takes no signal any more; one that a signal has completed meanwhile gives
//      it back, to its old place before all that came later, for the next SIGNAL of that name.
//
//    State. A Start carries the state that the handler may read: `state`, and `state_complete` when
//    that is all of it. A worker that has the value answers GET_STATE and STATE_KEYS itself: it gives
//    the program the value at once, and sends EntryRecorded with it as the outcome (an Outcome with
//    nothing set: the key is absent; STATE_KEYS: a JSON array of names in order). Such an entry has
//    no completion number, and in a replay is answered from the journal as soon as it is asked for.
//    What the worker does not have (a shared handler's state, or beyond `state_complete`) it asks
//    for by sending GET_STATE or STATE_KEYS without an outcome, and gets a Completion. SET_STATE has
//    the value as `argument`; CLEAR_STATE with an empty `name` removes all. Both take effect in the
//    worker's view when they are asked for. Shared handlers cannot change state.
//
// 4. Order. Each Ack of an outcome and each Completion carries a `completion_number`, 1, 2, 3 ... per
//    invocation. The worker delivers them to the program in this order, one at a time, each time
//    letting the program run until it can do nothing more. This makes the program's behaviour a
//    function of its input and its journal.
//
// 5. Replay. A Start with a non-empty journal is a later attempt. The worker runs the program from
//    the beginning. When the program asks for an operation whose index is in the journal, kind and
//    name must be the same: else the worker sends Held with a `durable.DeterminismError` that names
//    both. Entries with an outcome are delivered in the order of their completion numbers exactly as
//    in 4; each must have been asked for by the time its turn comes, else it is a determinism error.
//    Entries without an outcome are open on the server already and are not sent again. When all are
//    delivered, RUN and CALL operations that were asked for and have no outcome are executed.
//    A cancellation is no entry: it stands in `cancel_requested` of the Start, with its number, and is
//    delivered when that is due. Later completions still have their turns after it, also those of
//    operations that the program does not wait for any more.
//
// 6. Time and chance. The program's clock shows `start_time` of the Start at first, and then the
//    time of the last delivered Ack or Completion. Its random numbers are seeded with `random_seed`.
//
// 7. Failure. An operation that raises is retried by ending the attempt: AttemptFailed. The server
//    applies the handler's retry policy and sends a new Start with the next attempt number. What no
//    retry would change is a failure with `terminal` set: as the step's outcome, or in Finished. An
//    outcome that is a failure and was journaled is given to the program as an exception. When it was
//    a step that has failed, AttemptFailed names its `index`, `kind` and `name`, with `retry_delay`:
//    the worker applies the step's own policy, or else the handler's, to the step. The next Start says
//    in `step_failures` how often that step has failed and in `step_failing` for how long, so that the
//    worker can tell when its tries are used up: then it journals a failure as the step's outcome, so
//    that the program can compensate, or sends Held if the policy says PAUSE. An AttemptFailed without
//    `index` is a failure of the program itself: the server applies the handler's policy. What no
//    retry can mend, since the same code would do the same again, is better Held at once. Where other
//    steps run beside the one that has failed, a worker SHOULD let them end and be recorded first, for
//    a bounded time: the next attempt then need not do them again.
//
// 8. Suspension. When the program only waits for Completions and every entry is acknowledged, the
//    worker may send Suspend with the number of the last completion that it has delivered; how soon is
//    its own choice. The server answers Suspended (the pair is no longer owned; a later Start brings
//    it back) unless a newer completion exists, of which a CancelRequested is one: that is then on its
//    way and the attempt goes on, without an answer to the Suspend.
//
// 9. Pause and cancellation. After PauseRequested the worker delivers nothing more to the program and
//    starts nothing new; when every step in flight is acknowledged it answers Paused, and the pair is
//    no longer owned. An attempt that ends meanwhile ends as always. CancelRequested takes its place
//    among the completions by its number; the program sees it as an exception at its await. It also
//    ends a pause that was not answered yet. A handler that ends by that exception sends Finished
//    with a failure of type `durable.Cancelled`. A resume that comes before the worker has answered
//    is not told to it: its Paused then only gives the attempt back. A Paused that got lost need not
//    be repeated: an attempt that the worker does not list after a reconnect is held all the same.
//
// 10. Liveness. Both sides send Heartbeat when they have sent nothing for `heartbeat_interval`; who
//    hears nothing for `session_timeout` closes the stream. When a stream ends other than by the
//    worker's half-close, the server keeps what the worker owned for `reconnect_grace`; a new
//    session with the same `worker_id` takes it up. Its Hello lists what the worker still holds in
//    `resumed`; what it does not list is started anew, what it lists and does not own any more is
//    answered with Abandon. Messages not acknowledged are sent again: duplicates are recognised by
//    (invocation id, attempt, index). A Suspend without an answer and Draining are said again too. The
//    server for its part repeats every Completion, CancelRequested and PauseRequested of what is
//    listed; the worker recognises those that it has by their numbers. Acks and Suspended are not
//    repeated. A second session with the same `worker_id` takes the place of the first.
//
// 11. Leaving. Draining says: no new Start. When nothing is owned the worker half-closes the stream;
//    what it still owns then is given to others at once. A half-close without Draining before it
//    counts as a broken connection; after Draining the server ends the stream in answer. The server's
//    Drain says: finish nothing more here. The worker ends the stream without Draining, keeps what it
//    owns, and reconnects after `delay`.

// @generated by protoc-gen-es v2.13.0 with parameter "target=js+dts,import_extension=js"
// @generated from file durable/v1/worker.proto (package durable.v1, syntax proto3)
/* eslint-disable */

import { fileDesc, messageDesc, serviceDesc } from "@bufbuild/protobuf/codegenv2";
import { file_durable_v1_invocation } from "./invocation_pb.js";
import { file_durable_v1_payload } from "./payload_pb.js";
import { file_google_protobuf_duration, file_google_protobuf_timestamp } from "@bufbuild/protobuf/wkt";

/**
 * Describes the file durable/v1/worker.proto.
 */
export const file_durable_v1_worker = /*@__PURE__*/
  fileDesc("ChdkdXJhYmxlL3YxL3dvcmtlci5wcm90bxIKZHVyYWJsZS52MSI9Cg5TZXNzaW9uUmVxdWVzdBIrCghtZXNzYWdlcxgBIAMoCzIZLmR1cmFibGUudjEuV29ya2VyTWVzc2FnZSI+Cg9TZXNzaW9uUmVzcG9uc2USKwoIbWVzc2FnZXMYASADKAsyGS5kdXJhYmxlLnYxLlNlcnZlck1lc3NhZ2Ui4QMKDVdvcmtlck1lc3NhZ2USFQoNaW52b2NhdGlvbl9pZBgBIAEoCRIPCgdhdHRlbXB0GAIgASgFEioKBWVudHJ5GAMgASgLMhkuZHVyYWJsZS52MS5FbnRyeVJlY29yZGVkSAASKAoIZmluaXNoZWQYBCABKAsyFC5kdXJhYmxlLnYxLkZpbmlzaGVkSAASMwoOYXR0ZW1wdF9mYWlsZWQYBSABKAsyGS5kdXJhYmxlLnYxLkF0dGVtcHRGYWlsZWRIABIgCgRoZWxkGAYgASgLMhAuZHVyYWJsZS52MS5IZWxkSAASJgoHc3VzcGVuZBgHIAEoCzITLmR1cmFibGUudjEuU3VzcGVuZEgAEigKCHJlbGVhc2VkGAggASgLMhQuZHVyYWJsZS52MS5SZWxlYXNlZEgAEiIKBWhlbGxvGAkgASgLMhEuZHVyYWJsZS52MS5IZWxsb0gAEioKCWhlYXJ0YmVhdBgKIAEoCzIVLmR1cmFibGUudjEuSGVhcnRiZWF0SAASKAoIZHJhaW5pbmcYCyABKAsyFC5kdXJhYmxlLnYxLkRyYWluaW5nSAASJAoGcGF1c2VkGAwgASgLMhIuZHVyYWJsZS52MS5QYXVzZWRIAEIJCgdtZXNzYWdlIvADCg1TZXJ2ZXJNZXNzYWdlEhUKDWludm9jYXRpb25faWQYASABKAkSDwoHYXR0ZW1wdBgCIAEoBRIiCgVzdGFydBgDIAEoCzIRLmR1cmFibGUudjEuU3RhcnRIABIeCgNhY2sYBCABKAsyDy5kdXJhYmxlLnYxLkFja0gAEiwKCmNvbXBsZXRpb24YBSABKAsyFi5kdXJhYmxlLnYxLkNvbXBsZXRpb25IABIqCglzdXNwZW5kZWQYBiABKAsyFS5kdXJhYmxlLnYxLlN1c3BlbmRlZEgAEiYKB2FiYW5kb24YByABKAsyEy5kdXJhYmxlLnYxLkFiYW5kb25IABI3ChBjYW5jZWxfcmVxdWVzdGVkGAggASgLMhsuZHVyYWJsZS52MS5DYW5jZWxSZXF1ZXN0ZWRIABImCgd3ZWxjb21lGAkgASgLMhMuZHVyYWJsZS52MS5XZWxjb21lSAASKgoJaGVhcnRiZWF0GAogASgLMhUuZHVyYWJsZS52MS5IZWFydGJlYXRIABIiCgVkcmFpbhgLIAEoCzIRLmR1cmFibGUudjEuRHJhaW5IABI1Cg9wYXVzZV9yZXF1ZXN0ZWQYDCABKAsyGi5kdXJhYmxlLnYxLlBhdXNlUmVxdWVzdGVkSABCCQoHbWVzc2FnZSLYAQoFSGVsbG8SGAoQcHJvdG9jb2xfdmVyc2lvbhgBIAEoBRIRCgl3b3JrZXJfaWQYAiABKAkSEAoIaWRlbnRpdHkYAyABKAkSEAoIYnVpbGRfaWQYBCABKAkSKQoIaGFuZGxlcnMYBSADKAsyFy5kdXJhYmxlLnYxLkhhbmRsZXJTcGVjEhIKCnNsb3RfY291bnQYBiABKAUSFAoMY2FwYWJpbGl0aWVzGAcgAygJEikKB3Jlc3VtZWQYCCADKAsyGC5kdXJhYmxlLnYxLk93bmVkQXR0ZW1wdCI2CgxPd25lZEF0dGVtcHQSFQoNaW52b2NhdGlvbl9pZBgBIAEoCRIPCgdhdHRlbXB0GAIgASgFIrECCgdXZWxjb21lEhgKEHByb3RvY29sX3ZlcnNpb24YASABKAUSDQoFZXBvY2gYAiABKAMSNQoSaGVhcnRiZWF0X2ludGVydmFsGAMgASgLMhkuZ29vZ2xlLnByb3RvYnVmLkR1cmF0aW9uEjIKD3Nlc3Npb25fdGltZW91dBgEIAEoCzIZLmdvb2dsZS5wcm90b2J1Zi5EdXJhdGlvbhIyCg9yZWNvbm5lY3RfZ3JhY2UYBSABKAsyGS5nb29nbGUucHJvdG9idWYuRHVyYXRpb24SLwoGbGltaXRzGAYgAygLMh8uZHVyYWJsZS52MS5XZWxjb21lLkxpbWl0c0VudHJ5Gi0KC0xpbWl0c0VudHJ5EgsKA2tleRgBIAEoCRINCgV2YWx1ZRgCIAEoAzoCOAEiCwoJSGVhcnRiZWF0IgoKCERyYWluaW5nIjEKBURyYWluEigKBWRlbGF5GAEgASgLMhkuZ29vZ2xlLnByb3RvYnVmLkR1cmF0aW9uIrcGCgVTdGFydBIPCgdoYW5kbGVyGAEgASgJEiIKBWlucHV0GAIgASgLMhMuZHVyYWJsZS52MS5QYXlsb2FkEgsKA2tleRgDIAEoCRIvCgdoZWFkZXJzGAQgAygLMh4uZHVyYWJsZS52MS5TdGFydC5IZWFkZXJzRW50cnkSKQoHam91cm5hbBgFIAMoCzIYLmR1cmFibGUudjEuSm91cm5hbEVudHJ5Ei4KCnN0YXJ0X3RpbWUYBiABKAsyGi5nb29nbGUucHJvdG9idWYuVGltZXN0YW1wEhMKC3JhbmRvbV9zZWVkGAcgASgGEg8KB3NlcnZpY2UYCCABKAkSFQoNcGFydGl0aW9uX2tleRgJIAEoCRIpCgxsYXN0X2ZhaWx1cmUYCiABKAsyEy5kdXJhYmxlLnYxLkZhaWx1cmUSDwoHdmVyc2lvbhgLIAEoCRI1ChBjYW5jZWxfcmVxdWVzdGVkGAwgASgLMhsuZHVyYWJsZS52MS5DYW5jZWxSZXF1ZXN0ZWQSKwoFc3RhdGUYDSADKAsyHC5kdXJhYmxlLnYxLlN0YXJ0LlN0YXRlRW50cnkSFgoOc3RhdGVfY29tcGxldGUYDiABKAgSOgoNc3RlcF9mYWlsdXJlcxgPIAMoCzIjLmR1cmFibGUudjEuU3RhcnQuU3RlcEZhaWx1cmVzRW50cnkSOAoMc3RlcF9mYWlsaW5nGBAgAygLMiIuZHVyYWJsZS52MS5TdGFydC5TdGVwRmFpbGluZ0VudHJ5Gi4KDEhlYWRlcnNFbnRyeRILCgNrZXkYASABKAkSDQoFdmFsdWUYAiABKAk6AjgBGkEKClN0YXRlRW50cnkSCwoDa2V5GAEgASgJEiIKBXZhbHVlGAIgASgLMhMuZHVyYWJsZS52MS5QYXlsb2FkOgI4ARozChFTdGVwRmFpbHVyZXNFbnRyeRILCgNrZXkYASABKAUSDQoFdmFsdWUYAiABKAU6AjgBGk0KEFN0ZXBGYWlsaW5nRW50cnkSCwoDa2V5GAEgASgFEigKBXZhbHVlGAIgASgLMhkuZ29vZ2xlLnByb3RvYnVmLkR1cmF0aW9uOgI4ASLTAgoNRW50cnlSZWNvcmRlZBINCgVpbmRleBgBIAEoBRIjCgRraW5kGAIgASgOMhUuZHVyYWJsZS52MS5FbnRyeUtpbmQSDAoEbmFtZRgDIAEoCRIlCghhcmd1bWVudBgEIAEoCzITLmR1cmFibGUudjEuUGF5bG9hZBIkCgdvdXRjb21lGAUgASgLMhMuZHVyYWJsZS52MS5PdXRjb21lEigKBWRlbGF5GAYgASgLMhkuZ29vZ2xlLnByb3RvYnVmLkR1cmF0aW9uEg4KBnRhcmdldBgHIAEoCRIXCg9pZGVtcG90ZW5jeV9rZXkYCCABKAkSFQoNcGFydGl0aW9uX2tleRgJIAEoCRIqCgdlbGFwc2VkGAogASgLMhkuZ29vZ2xlLnByb3RvYnVmLkR1cmF0aW9uEg4KBnNjaGVtYRgLIAEoCRINCgVyZW5ldxgMIAEoCCJZCgNBY2sSDQoFaW5kZXgYASABKAUSGQoRY29tcGxldGlvbl9udW1iZXIYAiABKAMSKAoEdGltZRgDIAEoCzIaLmdvb2dsZS5wcm90b2J1Zi5UaW1lc3RhbXAihgEKCkNvbXBsZXRpb24SDQoFaW5kZXgYASABKAUSJAoHb3V0Y29tZRgCIAEoCzITLmR1cmFibGUudjEuT3V0Y29tZRIZChFjb21wbGV0aW9uX251bWJlchgDIAEoAxIoCgR0aW1lGAQgASgLMhouZ29vZ2xlLnByb3RvYnVmLlRpbWVzdGFtcCIwCghGaW5pc2hlZBIkCgdvdXRjb21lGAEgASgLMhMuZHVyYWJsZS52MS5PdXRjb21lIrYBCg1BdHRlbXB0RmFpbGVkEiQKB2ZhaWx1cmUYASABKAsyEy5kdXJhYmxlLnYxLkZhaWx1cmUSLgoLcmV0cnlfZGVsYXkYAiABKAsyGS5nb29nbGUucHJvdG9idWYuRHVyYXRpb24SEgoFaW5kZXgYAyABKAVIAIgBARIjCgRraW5kGAQgASgOMhUuZHVyYWJsZS52MS5FbnRyeUtpbmQSDAoEbmFtZRgFIAEoCUIICgZfaW5kZXgiLAoESGVsZBIkCgdmYWlsdXJlGAEgASgLMhMuZHVyYWJsZS52MS5GYWlsdXJlIggKBlBhdXNlZCIQCg5QYXVzZVJlcXVlc3RlZCIkCgdTdXNwZW5kEhkKEWNvbXBsZXRpb25fbnVtYmVyGAEgASgDIgoKCFJlbGVhc2VkIgsKCVN1c3BlbmRlZCIZCgdBYmFuZG9uEg4KBnJlYXNvbhgBIAEoCSJmCg9DYW5jZWxSZXF1ZXN0ZWQSDgoGcmVhc29uGAEgASgJEhkKEWNvbXBsZXRpb25fbnVtYmVyGAIgASgDEigKBHRpbWUYAyABKAsyGi5nb29nbGUucHJvdG9idWYuVGltZXN0YW1wMlcKDUR1cmFibGVXb3JrZXISRgoHU2Vzc2lvbhIaLmR1cmFibGUudjEuU2Vzc2lvblJlcXVlc3QaGy5kdXJhYmxlLnYxLlNlc3Npb25SZXNwb25zZSgBMAFCSAoOZGV2LmR1cmFibGUudjFCC1dvcmtlclByb3RvUAFaJ2R1cmFibGUuZGV2L2dlbi9nby9kdXJhYmxlL3YxO2R1cmFibGV2MWIGcHJvdG8z", [file_durable_v1_invocation, file_durable_v1_payload, file_google_protobuf_duration, file_google_protobuf_timestamp]);

/**
 * Describes the message durable.v1.SessionRequest.
 * Use `create(SessionRequestSchema)` to create a new message.
 */
export const SessionRequestSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 0);

/**
 * Describes the message durable.v1.SessionResponse.
 * Use `create(SessionResponseSchema)` to create a new message.
 */
export const SessionResponseSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 1);

/**
 * Describes the message durable.v1.WorkerMessage.
 * Use `create(WorkerMessageSchema)` to create a new message.
 */
export const WorkerMessageSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 2);

/**
 * Describes the message durable.v1.ServerMessage.
 * Use `create(ServerMessageSchema)` to create a new message.
 */
export const ServerMessageSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 3);

/**
 * Describes the message durable.v1.Hello.
 * Use `create(HelloSchema)` to create a new message.
 */
export const HelloSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 4);

/**
 * Describes the message durable.v1.OwnedAttempt.
 * Use `create(OwnedAttemptSchema)` to create a new message.
 */
export const OwnedAttemptSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 5);

/**
 * Describes the message durable.v1.Welcome.
 * Use `create(WelcomeSchema)` to create a new message.
 */
export const WelcomeSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 6);

/**
 * Describes the message durable.v1.Heartbeat.
 * Use `create(HeartbeatSchema)` to create a new message.
 */
export const HeartbeatSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 7);

/**
 * Describes the message durable.v1.Draining.
 * Use `create(DrainingSchema)` to create a new message.
 */
export const DrainingSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 8);

/**
 * Describes the message durable.v1.Drain.
 * Use `create(DrainSchema)` to create a new message.
 */
export const DrainSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 9);

/**
 * Describes the message durable.v1.Start.
 * Use `create(StartSchema)` to create a new message.
 */
export const StartSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 10);

/**
 * Describes the message durable.v1.EntryRecorded.
 * Use `create(EntryRecordedSchema)` to create a new message.
 */
export const EntryRecordedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 11);

/**
 * Describes the message durable.v1.Ack.
 * Use `create(AckSchema)` to create a new message.
 */
export const AckSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 12);

/**
 * Describes the message durable.v1.Completion.
 * Use `create(CompletionSchema)` to create a new message.
 */
export const CompletionSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 13);

/**
 * Describes the message durable.v1.Finished.
 * Use `create(FinishedSchema)` to create a new message.
 */
export const FinishedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 14);

/**
 * Describes the message durable.v1.AttemptFailed.
 * Use `create(AttemptFailedSchema)` to create a new message.
 */
export const AttemptFailedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 15);

/**
 * Describes the message durable.v1.Held.
 * Use `create(HeldSchema)` to create a new message.
 */
export const HeldSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 16);

/**
 * Describes the message durable.v1.Paused.
 * Use `create(PausedSchema)` to create a new message.
 */
export const PausedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 17);

/**
 * Describes the message durable.v1.PauseRequested.
 * Use `create(PauseRequestedSchema)` to create a new message.
 */
export const PauseRequestedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 18);

/**
 * Describes the message durable.v1.Suspend.
 * Use `create(SuspendSchema)` to create a new message.
 */
export const SuspendSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 19);

/**
 * Describes the message durable.v1.Released.
 * Use `create(ReleasedSchema)` to create a new message.
 */
export const ReleasedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 20);

/**
 * Describes the message durable.v1.Suspended.
 * Use `create(SuspendedSchema)` to create a new message.
 */
export const SuspendedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 21);

/**
 * Describes the message durable.v1.Abandon.
 * Use `create(AbandonSchema)` to create a new message.
 */
export const AbandonSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 22);

/**
 * Describes the message durable.v1.CancelRequested.
 * Use `create(CancelRequestedSchema)` to create a new message.
 */
export const CancelRequestedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 23);

/**
 * The service that workers dial. There is no HTTP mapping: HTTP/JSON cannot carry the stream.
 *
 * @generated from service durable.v1.DurableWorker
 */
export const DurableWorker = /*@__PURE__*/
  serviceDesc(file_durable_v1_worker, 0);


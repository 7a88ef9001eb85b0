// The worker protocol: how a process that runs invocations talks with the control plane.
//
// A worker dials the control plane and opens one Session stream for its whole lifetime. Everything
// goes through that stream, batched: each side puts into one frame whatever has accumulated while
// the previous frame was being written. Each side handles messages within a frame, and frames within
// a stream, in order.
//
// 1. Hello. The worker's first message is a Hello. The server answers with a Welcome, or ends the
//    stream with FAILED_PRECONDITION / PROTOCOL_VIOLATION or INVALID_ARGUMENT / INVALID_FIELD. These
//    two errors are permanent: they recur until the worker is corrected. After any other end of the
//    stream the worker reconnects with increasing backoff that stays well below `reconnect_grace`.
//    Note that the backoff of the gRPC library itself may grow to minutes.
//
// 2. Work. The server sends Start, for at most `slot_count` attempts at a time. The pair (invocation
//    id, attempt) identifies the work. The worker that received it owns it until one of Finished,
//    AttemptFailed, Held, Released (sent by the worker), or Suspended or Abandon (sent by the
//    server). A message for a pair that the session does not own is dropped and is never an error,
//    because reconnects leave such messages behind. A message that ends the ownership is not
//    acknowledged. If the stream breaks after it, the worker may keep the pair, list it in the Hello
//    of the next session and send the message again; or it may forget the pair. In the second case
//    the server starts the invocation again, unless the message has arrived.
//
// 3. The journal. The program's durable operations are numbered from 0 in the order in which it
//    requests them. The comments of EntryKind in invocation.proto specify each kind.
//
//    For RUN and CALL the worker does the work and sends one EntryRecorded with the outcome and the
//    time that the work took. For every other kind it sends EntryRecorded without an outcome and goes
//    on; the server sends a Completion later. (SET_STATE and CLEAR_STATE have none: they are complete
//    when they are acknowledged.) An outcome that the worker made counts only once it is
//    acknowledged: the worker MUST NOT let the program see it before its Ack. The entries of one
//    invocation MUST be sent in the order in which they become ready; their indexes need not be in
//    order. Every EntryRecorded gets an Ack. A value over the limit `payload_bytes` fails the
//    invocation with `durable.PayloadTooLarge`. An index beyond `journal_entries`, or values beyond
//    `journal_bytes`, hold it. In both cases the worker then gets an Abandon.
//
//    State. A Start carries the state that the handler may read: `state`, and `state_complete` if
//    that is all of it. A worker that has the value answers GET_STATE and STATE_KEYS itself: it gives
//    the program the value at once, and sends EntryRecorded with the value as the outcome. (An
//    Outcome with nothing set means that the key is absent; for STATE_KEYS the value is a JSON array
//    of names in order.) Such an entry has no completion number; a replay answers it from the journal
//    as soon as the program requests it. A value that the worker does not have (a shared handler's
//    state, or beyond `state_complete`) is requested by sending GET_STATE or STATE_KEYS without an
//    outcome, and comes as a Completion. SET_STATE has the value as `argument`; CLEAR_STATE with an
//    empty `name` removes all values. Both take effect in the worker's copy when the program requests
//    them. Shared handlers cannot change state.
//
// 4. Order. Each Ack of an outcome and each Completion carries a `completion_number`, 1, 2, 3 ... per
//    invocation. The worker delivers them to the program in this order, one at a time, and after
//    each one lets the program run until it waits again. This makes the program's behaviour a
//    function of its input and its journal.
//
// 5. Replay. A Start with a non-empty journal is a later attempt. The worker runs the program from
//    the beginning. When the program requests an operation whose index is in the journal, kind and
//    name must be equal; otherwise the worker sends Held with a `durable.DeterminismError` that
//    names both. Entries with an outcome are delivered in the order of their completion numbers,
//    exactly as in section 4; the program must have requested each one by the time its turn comes,
//    otherwise it is a determinism error. Entries without an outcome are already open on the server
//    and are not sent again. When all outcomes are delivered, the worker executes the RUN and CALL
//    operations that the program has requested and that have no outcome. A cancellation is not an
//    entry: it is in `cancel_requested` of the Start, with its completion number, and is delivered
//    when that number is due. Later completions still follow it in order, including those of
//    operations that the program no longer waits for.
//
// 6. Time and randomness. The program's clock shows `start_time` of the Start first, and then the
//    time of the Ack or Completion that was delivered last. Its random numbers are seeded with
//    `random_seed`.
//
// 7. Failure. When an operation raises, the worker ends the attempt with AttemptFailed. The server
//    applies the handler's retry policy and sends a new Start with the next attempt number. A failure
//    that no retry can change has `terminal` set: as the outcome of the step, or in Finished. A
//    failure in the journal as an outcome is raised in the program as an exception.
//
//    If a step has failed, AttemptFailed names its `index`, `kind` and `name`, with `retry_delay`:
//    the worker applies the step's own policy, or else the handler's, to the step. The next Start
//    contains in `step_failures` how often that step has failed and in `step_failing` for how long, so
//    that the worker can tell when its tries are used up. Then the worker journals a failure as the
//    step's outcome, so that the program can compensate, or sends Held if the policy says PAUSE. An
//    AttemptFailed without `index` is a failure of the program itself, to which the server applies
//    the handler's policy. For an error that the same code would raise again, the worker should send
//    Held at once. If other steps run beside the failed one, a worker SHOULD let them end and be
//    recorded first, for a bounded time, so that the next attempt need not repeat them.
//
// 8. Suspension. When the program waits only for Completions and every entry is acknowledged, the
//    worker may send Suspend with the number of the last completion that it has delivered; it chooses
//    how soon. The server answers Suspended, and the worker no longer owns the pair; a later Start
//    resumes the invocation. If a newer completion exists (a CancelRequested counts as one), the
//    server does not answer the Suspend: the completion is on its way, and the attempt goes on.
//
// 9. Pause and cancellation. After PauseRequested the worker delivers nothing more to the program and
//    starts nothing new. When every step in flight is acknowledged it answers Paused and no longer
//    owns the pair. An attempt that ends in the meantime ends as usual. CancelRequested has a
//    completion number and is delivered in that order; the program sees it as an exception at its
//    await. It also ends a pause that the worker has not answered yet. A handler that ends by that
//    exception sends Finished with a failure of type `durable.Cancelled`. The server does not tell
//    the worker about a resume that precedes the worker's answer: the Paused then only releases the
//    attempt. A lost Paused need not be repeated: an attempt that the worker does not list after a
//    reconnect is paused anyway.
//
// 10. Liveness. Each side sends Heartbeat when it has sent nothing for `heartbeat_interval`; a side
//    that receives nothing for `session_timeout` closes the stream. When a stream ends in any way
//    other than the worker's half-close, the server reserves the worker's attempts for
//    `reconnect_grace`, and a new session with the same `worker_id` takes them up. Its Hello lists in
//    `resumed` the attempts that the worker still holds. The server starts again what it owns and
//    does not list, and answers Abandon for what it lists and does not own. The worker resends
//    messages that were not acknowledged; the server recognizes duplicates by (invocation id,
//    attempt, index). It also resends an unanswered Suspend, and Draining. The server repeats every
//    Completion, CancelRequested and PauseRequested of the listed attempts; the worker recognizes
//    those that it has by their numbers. The server does not repeat Acks and Suspended. A second
//    session with the same `worker_id` replaces the first.
//
// 11. Leaving. Draining means: send no new Start. When the worker owns nothing it half-closes the
//    stream; whatever it still owns then is dispatched to other workers at once. A half-close without
//    a preceding Draining counts as a broken connection. After Draining the server ends the stream in
//    answer. The server's Drain means that the worker is to open another session, because this
//    control plane stops or for the reason in section 12: the worker ends the stream without
//    Draining, keeps what it owns, and reconnects after `delay`. If it does not, the server ends the
//    stream some seconds later.
//
// 12. Several nodes. A control plane may be a cluster of nodes. A worker dials any one of them and
//    serves all: its node passes messages on to the nodes that lead the invocations, and divides
//    `slot_count` among them. When an invocation's leader may have changed, the node sends Drain, and
//    the reconnect of section 10 brings everything to the new leader. So a Drain may come at any time,
//    several in a minute while nodes start and stop, and the worker may reconnect to the same address.
//    When a node ends without a word, the worker SHOULD dial another one, if it knows the addresses of
//    several, within `reconnect_grace`. Messages about invocations that nobody leads are lost
//    meanwhile, and sent again after the next Drain.

// 13. Continuing as new. A program that would run for ever ends its run with Continued, which ends the
//    ownership like Finished. The invocation keeps its id, its state, its waiters and its unread
//    signals, and gets a new and empty journal, and the given input. Indexes and completion numbers go
//    on from `first_index` and `completions_before` of the next Start, so that nothing that was about
//    the old journal can meet the new one; ids that a worker makes from an index stay unique. The seed
//    and `start_time` are those of the new run. A cancellation that was requested before is the first
//    completion of the new run. What has completed and the program has not got, by `completion_number`,
//    is not lost: a signal is given back, and the outcome of an awakeable waits for the next entry
//    with its id. An awakeable whose outcome the program has got starts anew. If a signal has completed
//    an entry and the program has not read it, the worker gives it back by a CANCEL of that entry.
//
// 14. Patches. PATCH tells which branch of changed code the program takes. If the journal has an entry
//    with the next index or a higher one, and the entry with the next index is not a patch of this
//    name, the journal went past this point before the change: the program runs without it, and nothing
//    is recorded. Otherwise the worker records the entry, unless it is in the journal, and the program
//    runs with the change. A program that asks about a name again gets the first answer. PATCH is sent
//    at once, also before entries that have to wait: an entry with a higher index is never in the
//    journal without it. A program that does not ask any more records DEPRECATED_PATCH by the same rule.
//    Either kind is a patch of its name for both. An operation whose index would be that of a
//    DEPRECATED_PATCH about which the program does not ask takes the index after it.
//
// 15. Builds. When a handler is PINNED, the server gives the attempts of an invocation that has a
//    journal to workers of the build that began it only, and it waits while none is connected.

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
  fileDesc("ChdkdXJhYmxlL3YxL3dvcmtlci5wcm90bxIKZHVyYWJsZS52MSI9Cg5TZXNzaW9uUmVxdWVzdBIrCghtZXNzYWdlcxgBIAMoCzIZLmR1cmFibGUudjEuV29ya2VyTWVzc2FnZSI+Cg9TZXNzaW9uUmVzcG9uc2USKwoIbWVzc2FnZXMYASADKAsyGS5kdXJhYmxlLnYxLlNlcnZlck1lc3NhZ2UijQQKDVdvcmtlck1lc3NhZ2USFQoNaW52b2NhdGlvbl9pZBgBIAEoCRIPCgdhdHRlbXB0GAIgASgFEioKBWVudHJ5GAMgASgLMhkuZHVyYWJsZS52MS5FbnRyeVJlY29yZGVkSAASKAoIZmluaXNoZWQYBCABKAsyFC5kdXJhYmxlLnYxLkZpbmlzaGVkSAASMwoOYXR0ZW1wdF9mYWlsZWQYBSABKAsyGS5kdXJhYmxlLnYxLkF0dGVtcHRGYWlsZWRIABIgCgRoZWxkGAYgASgLMhAuZHVyYWJsZS52MS5IZWxkSAASJgoHc3VzcGVuZBgHIAEoCzITLmR1cmFibGUudjEuU3VzcGVuZEgAEigKCHJlbGVhc2VkGAggASgLMhQuZHVyYWJsZS52MS5SZWxlYXNlZEgAEiIKBWhlbGxvGAkgASgLMhEuZHVyYWJsZS52MS5IZWxsb0gAEioKCWhlYXJ0YmVhdBgKIAEoCzIVLmR1cmFibGUudjEuSGVhcnRiZWF0SAASKAoIZHJhaW5pbmcYCyABKAsyFC5kdXJhYmxlLnYxLkRyYWluaW5nSAASJAoGcGF1c2VkGAwgASgLMhIuZHVyYWJsZS52MS5QYXVzZWRIABIqCgljb250aW51ZWQYDSABKAsyFS5kdXJhYmxlLnYxLkNvbnRpbnVlZEgAQgkKB21lc3NhZ2Ui8AMKDVNlcnZlck1lc3NhZ2USFQoNaW52b2NhdGlvbl9pZBgBIAEoCRIPCgdhdHRlbXB0GAIgASgFEiIKBXN0YXJ0GAMgASgLMhEuZHVyYWJsZS52MS5TdGFydEgAEh4KA2FjaxgEIAEoCzIPLmR1cmFibGUudjEuQWNrSAASLAoKY29tcGxldGlvbhgFIAEoCzIWLmR1cmFibGUudjEuQ29tcGxldGlvbkgAEioKCXN1c3BlbmRlZBgGIAEoCzIVLmR1cmFibGUudjEuU3VzcGVuZGVkSAASJgoHYWJhbmRvbhgHIAEoCzITLmR1cmFibGUudjEuQWJhbmRvbkgAEjcKEGNhbmNlbF9yZXF1ZXN0ZWQYCCABKAsyGy5kdXJhYmxlLnYxLkNhbmNlbFJlcXVlc3RlZEgAEiYKB3dlbGNvbWUYCSABKAsyEy5kdXJhYmxlLnYxLldlbGNvbWVIABIqCgloZWFydGJlYXQYCiABKAsyFS5kdXJhYmxlLnYxLkhlYXJ0YmVhdEgAEiIKBWRyYWluGAsgASgLMhEuZHVyYWJsZS52MS5EcmFpbkgAEjUKD3BhdXNlX3JlcXVlc3RlZBgMIAEoCzIaLmR1cmFibGUudjEuUGF1c2VSZXF1ZXN0ZWRIAEIJCgdtZXNzYWdlIvABCgVIZWxsbxIYChBwcm90b2NvbF92ZXJzaW9uGAEgASgFEhEKCXdvcmtlcl9pZBgCIAEoCRIQCghpZGVudGl0eRgDIAEoCRIQCghidWlsZF9pZBgEIAEoCRIpCghoYW5kbGVycxgFIAMoCzIXLmR1cmFibGUudjEuSGFuZGxlclNwZWMSEgoKc2xvdF9jb3VudBgGIAEoBRIUCgxjYXBhYmlsaXRpZXMYByADKAkSKQoHcmVzdW1lZBgIIAMoCzIYLmR1cmFibGUudjEuT3duZWRBdHRlbXB0EhYKDnNlc3Npb25fbnVtYmVyGAkgASgDIjYKDE93bmVkQXR0ZW1wdBIVCg1pbnZvY2F0aW9uX2lkGAEgASgJEg8KB2F0dGVtcHQYAiABKAUisQIKB1dlbGNvbWUSGAoQcHJvdG9jb2xfdmVyc2lvbhgBIAEoBRINCgVlcG9jaBgCIAEoAxI1ChJoZWFydGJlYXRfaW50ZXJ2YWwYAyABKAsyGS5nb29nbGUucHJvdG9idWYuRHVyYXRpb24SMgoPc2Vzc2lvbl90aW1lb3V0GAQgASgLMhkuZ29vZ2xlLnByb3RvYnVmLkR1cmF0aW9uEjIKD3JlY29ubmVjdF9ncmFjZRgFIAEoCzIZLmdvb2dsZS5wcm90b2J1Zi5EdXJhdGlvbhIvCgZsaW1pdHMYBiADKAsyHy5kdXJhYmxlLnYxLldlbGNvbWUuTGltaXRzRW50cnkaLQoLTGltaXRzRW50cnkSCwoDa2V5GAEgASgJEg0KBXZhbHVlGAIgASgDOgI4ASILCglIZWFydGJlYXQiCgoIRHJhaW5pbmciRAoFRHJhaW4SKAoFZGVsYXkYASABKAsyGS5nb29nbGUucHJvdG9idWYuRHVyYXRpb24SEQoJZWxzZXdoZXJlGAIgASgIIvUGCgVTdGFydBIPCgdoYW5kbGVyGAEgASgJEiIKBWlucHV0GAIgASgLMhMuZHVyYWJsZS52MS5QYXlsb2FkEgsKA2tleRgDIAEoCRIvCgdoZWFkZXJzGAQgAygLMh4uZHVyYWJsZS52MS5TdGFydC5IZWFkZXJzRW50cnkSKQoHam91cm5hbBgFIAMoCzIYLmR1cmFibGUudjEuSm91cm5hbEVudHJ5Ei4KCnN0YXJ0X3RpbWUYBiABKAsyGi5nb29nbGUucHJvdG9idWYuVGltZXN0YW1wEhMKC3JhbmRvbV9zZWVkGAcgASgGEg8KB3NlcnZpY2UYCCABKAkSFQoNcGFydGl0aW9uX2tleRgJIAEoCRIpCgxsYXN0X2ZhaWx1cmUYCiABKAsyEy5kdXJhYmxlLnYxLkZhaWx1cmUSDwoHdmVyc2lvbhgLIAEoCRI1ChBjYW5jZWxfcmVxdWVzdGVkGAwgASgLMhsuZHVyYWJsZS52MS5DYW5jZWxSZXF1ZXN0ZWQSKwoFc3RhdGUYDSADKAsyHC5kdXJhYmxlLnYxLlN0YXJ0LlN0YXRlRW50cnkSFgoOc3RhdGVfY29tcGxldGUYDiABKAgSOgoNc3RlcF9mYWlsdXJlcxgPIAMoCzIjLmR1cmFibGUudjEuU3RhcnQuU3RlcEZhaWx1cmVzRW50cnkSOAoMc3RlcF9mYWlsaW5nGBAgAygLMiIuZHVyYWJsZS52MS5TdGFydC5TdGVwRmFpbGluZ0VudHJ5EhMKC2ZpcnN0X2luZGV4GBEgASgFEhoKEmNvbXBsZXRpb25zX2JlZm9yZRgSIAEoAxILCgNydW4YEyABKAUaLgoMSGVhZGVyc0VudHJ5EgsKA2tleRgBIAEoCRINCgV2YWx1ZRgCIAEoCToCOAEaQQoKU3RhdGVFbnRyeRILCgNrZXkYASABKAkSIgoFdmFsdWUYAiABKAsyEy5kdXJhYmxlLnYxLlBheWxvYWQ6AjgBGjMKEVN0ZXBGYWlsdXJlc0VudHJ5EgsKA2tleRgBIAEoBRINCgV2YWx1ZRgCIAEoBToCOAEaTQoQU3RlcEZhaWxpbmdFbnRyeRILCgNrZXkYASABKAUSKAoFdmFsdWUYAiABKAsyGS5nb29nbGUucHJvdG9idWYuRHVyYXRpb246AjgBItMCCg1FbnRyeVJlY29yZGVkEg0KBWluZGV4GAEgASgFEiMKBGtpbmQYAiABKA4yFS5kdXJhYmxlLnYxLkVudHJ5S2luZBIMCgRuYW1lGAMgASgJEiUKCGFyZ3VtZW50GAQgASgLMhMuZHVyYWJsZS52MS5QYXlsb2FkEiQKB291dGNvbWUYBSABKAsyEy5kdXJhYmxlLnYxLk91dGNvbWUSKAoFZGVsYXkYBiABKAsyGS5nb29nbGUucHJvdG9idWYuRHVyYXRpb24SDgoGdGFyZ2V0GAcgASgJEhcKD2lkZW1wb3RlbmN5X2tleRgIIAEoCRIVCg1wYXJ0aXRpb25fa2V5GAkgASgJEioKB2VsYXBzZWQYCiABKAsyGS5nb29nbGUucHJvdG9idWYuRHVyYXRpb24SDgoGc2NoZW1hGAsgASgJEg0KBXJlbmV3GAwgASgIIlkKA0FjaxINCgVpbmRleBgBIAEoBRIZChFjb21wbGV0aW9uX251bWJlchgCIAEoAxIoCgR0aW1lGAMgASgLMhouZ29vZ2xlLnByb3RvYnVmLlRpbWVzdGFtcCKGAQoKQ29tcGxldGlvbhINCgVpbmRleBgBIAEoBRIkCgdvdXRjb21lGAIgASgLMhMuZHVyYWJsZS52MS5PdXRjb21lEhkKEWNvbXBsZXRpb25fbnVtYmVyGAMgASgDEigKBHRpbWUYBCABKAsyGi5nb29nbGUucHJvdG9idWYuVGltZXN0YW1wIjAKCEZpbmlzaGVkEiQKB291dGNvbWUYASABKAsyEy5kdXJhYmxlLnYxLk91dGNvbWUi4wEKDUF0dGVtcHRGYWlsZWQSJAoHZmFpbHVyZRgBIAEoCzITLmR1cmFibGUudjEuRmFpbHVyZRIuCgtyZXRyeV9kZWxheRgCIAEoCzIZLmdvb2dsZS5wcm90b2J1Zi5EdXJhdGlvbhISCgVpbmRleBgDIAEoBUgAiAEBEiMKBGtpbmQYBCABKA4yFS5kdXJhYmxlLnYxLkVudHJ5S2luZBIMCgRuYW1lGAUgASgJEisKC290aGVyX3N0ZXBzGAYgAygLMhYuZHVyYWJsZS52MS5GYWlsZWRTdGVwQggKBl9pbmRleCJ0CgpGYWlsZWRTdGVwEg0KBWluZGV4GAEgASgFEiMKBGtpbmQYAiABKA4yFS5kdXJhYmxlLnYxLkVudHJ5S2luZBIMCgRuYW1lGAMgASgJEiQKB2ZhaWx1cmUYBCABKAsyEy5kdXJhYmxlLnYxLkZhaWx1cmUiLAoESGVsZBIkCgdmYWlsdXJlGAEgASgLMhMuZHVyYWJsZS52MS5GYWlsdXJlIggKBlBhdXNlZCJeCglDb250aW51ZWQSIgoFaW5wdXQYASABKAsyEy5kdXJhYmxlLnYxLlBheWxvYWQSGQoRY29tcGxldGlvbl9udW1iZXIYAiABKAMSEgoKbmV4dF9pbmRleBgDIAEoBSIQCg5QYXVzZVJlcXVlc3RlZCIkCgdTdXNwZW5kEhkKEWNvbXBsZXRpb25fbnVtYmVyGAEgASgDIgoKCFJlbGVhc2VkIgsKCVN1c3BlbmRlZCIZCgdBYmFuZG9uEg4KBnJlYXNvbhgBIAEoCSJmCg9DYW5jZWxSZXF1ZXN0ZWQSDgoGcmVhc29uGAEgASgJEhkKEWNvbXBsZXRpb25fbnVtYmVyGAIgASgDEigKBHRpbWUYAyABKAsyGi5nb29nbGUucHJvdG9idWYuVGltZXN0YW1wMlcKDUR1cmFibGVXb3JrZXISRgoHU2Vzc2lvbhIaLmR1cmFibGUudjEuU2Vzc2lvblJlcXVlc3QaGy5kdXJhYmxlLnYxLlNlc3Npb25SZXNwb25zZSgBMAFCSAoOZGV2LmR1cmFibGUudjFCC1dvcmtlclByb3RvUAFaJ2R1cmFibGUuZGV2L2dlbi9nby9kdXJhYmxlL3YxO2R1cmFibGV2MWIGcHJvdG8z", [file_durable_v1_invocation, file_durable_v1_payload, file_google_protobuf_duration, file_google_protobuf_timestamp]);

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
 * Describes the message durable.v1.FailedStep.
 * Use `create(FailedStepSchema)` to create a new message.
 */
export const FailedStepSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 16);

/**
 * Describes the message durable.v1.Held.
 * Use `create(HeldSchema)` to create a new message.
 */
export const HeldSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 17);

/**
 * Describes the message durable.v1.Paused.
 * Use `create(PausedSchema)` to create a new message.
 */
export const PausedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 18);

/**
 * Describes the message durable.v1.Continued.
 * Use `create(ContinuedSchema)` to create a new message.
 */
export const ContinuedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 19);

/**
 * Describes the message durable.v1.PauseRequested.
 * Use `create(PauseRequestedSchema)` to create a new message.
 */
export const PauseRequestedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 20);

/**
 * Describes the message durable.v1.Suspend.
 * Use `create(SuspendSchema)` to create a new message.
 */
export const SuspendSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 21);

/**
 * Describes the message durable.v1.Released.
 * Use `create(ReleasedSchema)` to create a new message.
 */
export const ReleasedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 22);

/**
 * Describes the message durable.v1.Suspended.
 * Use `create(SuspendedSchema)` to create a new message.
 */
export const SuspendedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 23);

/**
 * Describes the message durable.v1.Abandon.
 * Use `create(AbandonSchema)` to create a new message.
 */
export const AbandonSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 24);

/**
 * Describes the message durable.v1.CancelRequested.
 * Use `create(CancelRequestedSchema)` to create a new message.
 */
export const CancelRequestedSchema = /*@__PURE__*/
  messageDesc(file_durable_v1_worker, 25);

/**
 * The service that workers dial. It has no HTTP mapping, because HTTP/JSON cannot carry the stream.
 *
 * @generated from service durable.v1.DurableWorker
 */
export const DurableWorker = /*@__PURE__*/
  serviceDesc(file_durable_v1_worker, 0);


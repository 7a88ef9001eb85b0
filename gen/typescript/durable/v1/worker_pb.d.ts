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

import type { GenFile, GenMessage, GenService } from "@bufbuild/protobuf/codegenv2";
import type { Message } from "@bufbuild/protobuf";
import type { EntryKind, HandlerSpec, JournalEntry } from "./invocation_pb.js";
import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import type { Failure, Outcome, Payload } from "./payload_pb.js";

/**
 * Describes the file durable/v1/worker.proto.
 */
export declare const file_durable_v1_worker: GenFile;

/**
 * A frame from the worker. At most 4 MiB.
 *
 * @generated from message durable.v1.SessionRequest
 */
export declare type SessionRequest = Message<"durable.v1.SessionRequest"> & {
  /**
   * Handled in order.
   *
   * @generated from field: repeated durable.v1.WorkerMessage messages = 1;
   */
  messages: WorkerMessage[];
};

/**
 * Describes the message durable.v1.SessionRequest.
 * Use `create(SessionRequestSchema)` to create a new message.
 */
export declare const SessionRequestSchema: GenMessage<SessionRequest>;

/**
 * A frame from the server. At most 64 MiB, since a Start brings a whole journal: the receive limit of
 * a gRPC library, often 4 MiB, must be raised.
 *
 * @generated from message durable.v1.SessionResponse
 */
export declare type SessionResponse = Message<"durable.v1.SessionResponse"> & {
  /**
   * Handled in order.
   *
   * @generated from field: repeated durable.v1.ServerMessage messages = 1;
   */
  messages: ServerMessage[];
};

/**
 * Describes the message durable.v1.SessionResponse.
 * Use `create(SessionResponseSchema)` to create a new message.
 */
export declare const SessionResponseSchema: GenMessage<SessionResponse>;

/**
 * One message of a worker.
 *
 * @generated from message durable.v1.WorkerMessage
 */
export declare type WorkerMessage = Message<"durable.v1.WorkerMessage"> & {
  /**
   * The invocation it is about; empty for messages about the session.
   *
   * @generated from field: string invocation_id = 1;
   */
  invocationId: string;

  /**
   * The attempt it is about; 0 for messages about the session.
   *
   * @generated from field: int32 attempt = 2;
   */
  attempt: number;

  /**
   * What it says.
   *
   * @generated from oneof durable.v1.WorkerMessage.message
   */
  message: {
    /**
     * About an invocation: a journal entry.
     *
     * @generated from field: durable.v1.EntryRecorded entry = 3;
     */
    value: EntryRecorded;
    case: "entry";
  } | {
    /**
     * About an invocation: the handler has ended.
     *
     * @generated from field: durable.v1.Finished finished = 4;
     */
    value: Finished;
    case: "finished";
  } | {
    /**
     * About an invocation: the attempt has failed and may be retried.
     *
     * @generated from field: durable.v1.AttemptFailed attempt_failed = 5;
     */
    value: AttemptFailed;
    case: "attemptFailed";
  } | {
    /**
     * About an invocation: it must be held for a person.
     *
     * @generated from field: durable.v1.Held held = 6;
     */
    value: Held;
    case: "held";
  } | {
    /**
     * About an invocation: it only waits.
     *
     * @generated from field: durable.v1.Suspend suspend = 7;
     */
    value: Suspend;
    case: "suspend";
  } | {
    /**
     * About an invocation: the worker gives it back untouched.
     *
     * @generated from field: durable.v1.Released released = 8;
     */
    value: Released;
    case: "released";
  } | {
    /**
     * About the session: the first message.
     *
     * @generated from field: durable.v1.Hello hello = 9;
     */
    value: Hello;
    case: "hello";
  } | {
    /**
     * About the session: a sign of life.
     *
     * @generated from field: durable.v1.Heartbeat heartbeat = 10;
     */
    value: Heartbeat;
    case: "heartbeat";
  } | {
    /**
     * About the session: send no new work.
     *
     * @generated from field: durable.v1.Draining draining = 11;
     */
    value: Draining;
    case: "draining";
  } | {
    /**
     * About an invocation: it is held, as was asked for.
     *
     * @generated from field: durable.v1.Paused paused = 12;
     */
    value: Paused;
    case: "paused";
  } | { case: undefined; value?: undefined };
};

/**
 * Describes the message durable.v1.WorkerMessage.
 * Use `create(WorkerMessageSchema)` to create a new message.
 */
export declare const WorkerMessageSchema: GenMessage<WorkerMessage>;

/**
 * One message of the server.
 *
 * @generated from message durable.v1.ServerMessage
 */
export declare type ServerMessage = Message<"durable.v1.ServerMessage"> & {
  /**
   * The invocation it is about; empty for messages about the session.
   *
   * @generated from field: string invocation_id = 1;
   */
  invocationId: string;

  /**
   * The attempt it is about; 0 for messages about the session.
   *
   * @generated from field: int32 attempt = 2;
   */
  attempt: number;

  /**
   * What it says.
   *
   * @generated from oneof durable.v1.ServerMessage.message
   */
  message: {
    /**
     * About an invocation: run it.
     *
     * @generated from field: durable.v1.Start start = 3;
     */
    value: Start;
    case: "start";
  } | {
    /**
     * About an invocation: an entry is in the log.
     *
     * @generated from field: durable.v1.Ack ack = 4;
     */
    value: Ack;
    case: "ack";
  } | {
    /**
     * About an invocation: an operation of the server's has ended.
     *
     * @generated from field: durable.v1.Completion completion = 5;
     */
    value: Completion;
    case: "completion";
  } | {
    /**
     * About an invocation: it is suspended.
     *
     * @generated from field: durable.v1.Suspended suspended = 6;
     */
    value: Suspended;
    case: "suspended";
  } | {
    /**
     * About an invocation: stop working on it, say nothing more about it.
     *
     * @generated from field: durable.v1.Abandon abandon = 7;
     */
    value: Abandon;
    case: "abandon";
  } | {
    /**
     * About an invocation: its end is asked for.
     *
     * @generated from field: durable.v1.CancelRequested cancel_requested = 8;
     */
    value: CancelRequested;
    case: "cancelRequested";
  } | {
    /**
     * About the session: the answer to Hello.
     *
     * @generated from field: durable.v1.Welcome welcome = 9;
     */
    value: Welcome;
    case: "welcome";
  } | {
    /**
     * About the session: a sign of life.
     *
     * @generated from field: durable.v1.Heartbeat heartbeat = 10;
     */
    value: Heartbeat;
    case: "heartbeat";
  } | {
    /**
     * About the session: reconnect.
     *
     * @generated from field: durable.v1.Drain drain = 11;
     */
    value: Drain;
    case: "drain";
  } | {
    /**
     * About an invocation: hold it at its next boundary.
     *
     * @generated from field: durable.v1.PauseRequested pause_requested = 12;
     */
    value: PauseRequested;
    case: "pauseRequested";
  } | { case: undefined; value?: undefined };
};

/**
 * Describes the message durable.v1.ServerMessage.
 * Use `create(ServerMessageSchema)` to create a new message.
 */
export declare const ServerMessageSchema: GenMessage<ServerMessage>;

/**
 * Introduces a worker.
 *
 * @generated from message durable.v1.Hello
 */
export declare type Hello = Message<"durable.v1.Hello"> & {
  /**
   * The newest protocol version that the worker speaks. This file is version 1.
   *
   * @generated from field: int32 protocol_version = 1;
   */
  protocolVersion: number;

  /**
   * An id that is new for each start of the worker process, and the same for all its sessions.
   * 1 to 64 characters `[A-Za-z0-9_-]`.
   *
   * @generated from field: string worker_id = 2;
   */
  workerId: string;

  /**
   * What it calls itself, for a person: host and process id, for example.
   *
   * @generated from field: string identity = 3;
   */
  identity: string;

  /**
   * The build that it runs.
   *
   * @generated from field: string build_id = 4;
   */
  buildId: string;

  /**
   * What it serves. At most 1,000.
   *
   * @generated from field: repeated durable.v1.HandlerSpec handlers = 5;
   */
  handlers: HandlerSpec[];

  /**
   * How many invocations it takes at a time; 1 to 100,000.
   *
   * @generated from field: int32 slot_count = 6;
   */
  slotCount: number;

  /**
   * What it can do beyond this version; unknown names are ignored.
   *
   * @generated from field: repeated string capabilities = 7;
   */
  capabilities: string[];

  /**
   * After a reconnect: the work that it still holds.
   *
   * @generated from field: repeated durable.v1.OwnedAttempt resumed = 8;
   */
  resumed: OwnedAttempt[];
};

/**
 * Describes the message durable.v1.Hello.
 * Use `create(HelloSchema)` to create a new message.
 */
export declare const HelloSchema: GenMessage<Hello>;

/**
 * A piece of work, by name.
 *
 * @generated from message durable.v1.OwnedAttempt
 */
export declare type OwnedAttempt = Message<"durable.v1.OwnedAttempt"> & {
  /**
   * The invocation.
   *
   * @generated from field: string invocation_id = 1;
   */
  invocationId: string;

  /**
   * The attempt.
   *
   * @generated from field: int32 attempt = 2;
   */
  attempt: number;
};

/**
 * Describes the message durable.v1.OwnedAttempt.
 * Use `create(OwnedAttemptSchema)` to create a new message.
 */
export declare const OwnedAttemptSchema: GenMessage<OwnedAttempt>;

/**
 * Accepts a worker.
 *
 * @generated from message durable.v1.Welcome
 */
export declare type Welcome = Message<"durable.v1.Welcome"> & {
  /**
   * The protocol version of this session: the lower of both sides' newest.
   *
   * @generated from field: int32 protocol_version = 1;
   */
  protocolVersion: number;

  /**
   * The leader's epoch.
   *
   * @generated from field: int64 epoch = 2;
   */
  epoch: bigint;

  /**
   * How long either side may be silent before it sends a Heartbeat.
   *
   * @generated from field: google.protobuf.Duration heartbeat_interval = 3;
   */
  heartbeatInterval?: Duration | undefined;

  /**
   * How long silence means that the other side is gone.
   *
   * @generated from field: google.protobuf.Duration session_timeout = 4;
   */
  sessionTimeout?: Duration | undefined;

  /**
   * How long the server keeps the worker's work after its stream ended.
   *
   * @generated from field: google.protobuf.Duration reconnect_grace = 5;
   */
  reconnectGrace?: Duration | undefined;

  /**
   * The named limits that a worker must keep: `payload_bytes`, `frame_bytes`, `journal_entries`,
   * `journal_bytes`.
   *
   * @generated from field: map<string, int64> limits = 6;
   */
  limits: { [key: string]: bigint };
};

/**
 * Describes the message durable.v1.Welcome.
 * Use `create(WelcomeSchema)` to create a new message.
 */
export declare const WelcomeSchema: GenMessage<Welcome>;

/**
 * A sign of life.
 *
 * @generated from message durable.v1.Heartbeat
 */
export declare type Heartbeat = Message<"durable.v1.Heartbeat"> & {
};

/**
 * Describes the message durable.v1.Heartbeat.
 * Use `create(HeartbeatSchema)` to create a new message.
 */
export declare const HeartbeatSchema: GenMessage<Heartbeat>;

/**
 * Says that the worker takes no new work.
 *
 * @generated from message durable.v1.Draining
 */
export declare type Draining = Message<"durable.v1.Draining"> & {
};

/**
 * Describes the message durable.v1.Draining.
 * Use `create(DrainingSchema)` to create a new message.
 */
export declare const DrainingSchema: GenMessage<Draining>;

/**
 * Asks the worker to reconnect.
 *
 * @generated from message durable.v1.Drain
 */
export declare type Drain = Message<"durable.v1.Drain"> & {
  /**
   * How long to wait before.
   *
   * @generated from field: google.protobuf.Duration delay = 1;
   */
  delay?: Duration | undefined;
};

/**
 * Describes the message durable.v1.Drain.
 * Use `create(DrainSchema)` to create a new message.
 */
export declare const DrainSchema: GenMessage<Drain>;

/**
 * Hands an attempt to the worker.
 *
 * @generated from message durable.v1.Start
 */
export declare type Start = Message<"durable.v1.Start"> & {
  /**
   * The handler to run.
   *
   * @generated from field: string handler = 1;
   */
  handler: string;

  /**
   * Its input; absent when it is to be called without arguments.
   *
   * @generated from field: durable.v1.Payload input = 2;
   */
  input?: Payload | undefined;

  /**
   * The object key for keyed handlers.
   *
   * @generated from field: string key = 3;
   */
  key: string;

  /**
   * The caller's headers.
   *
   * @generated from field: map<string, string> headers = 4;
   */
  headers: { [key: string]: string };

  /**
   * The journal so far, in program order; empty on a first attempt.
   *
   * @generated from field: repeated durable.v1.JournalEntry journal = 5;
   */
  journal: JournalEntry[];

  /**
   * When the first attempt began: the same in every attempt.
   *
   * @generated from field: google.protobuf.Timestamp start_time = 6;
   */
  startTime?: Timestamp | undefined;

  /**
   * The seed of the program's random numbers.
   *
   * @generated from field: fixed64 random_seed = 7;
   */
  randomSeed: bigint;

  /**
   * The caller's service label.
   *
   * @generated from field: string service = 8;
   */
  service: string;

  /**
   * The caller's partition key.
   *
   * @generated from field: string partition_key = 9;
   */
  partitionKey: string;

  /**
   * The failure of the attempt before, for the program to see.
   *
   * @generated from field: durable.v1.Failure last_failure = 10;
   */
  lastFailure?: Failure | undefined;

  /**
   * The version of the handler that recorded the journal; empty on a first attempt.
   *
   * @generated from field: string version = 11;
   */
  version: string;

  /**
   * Set when a cancellation was asked for before this attempt.
   *
   * @generated from field: durable.v1.CancelRequested cancel_requested = 12;
   */
  cancelRequested?: CancelRequested | undefined;

  /**
   * The state as it is now, by name: the invocation's own, or the object key's.
   *
   * @generated from field: map<string, durable.v1.Payload> state = 13;
   */
  state: { [key: string]: Payload };

  /**
   * True when `state` is all of it.
   *
   * @generated from field: bool state_complete = 14;
   */
  stateComplete: boolean;

  /**
   * How often steps that are not in the journal have failed, by index.
   *
   * @generated from field: map<int32, int32> step_failures = 15;
   */
  stepFailures: { [key: number]: number };

  /**
   * How long ago the first of those failures was when this attempt was handed out, by index.
   *
   * @generated from field: map<int32, google.protobuf.Duration> step_failing = 16;
   */
  stepFailing: { [key: number]: Duration };
};

/**
 * Describes the message durable.v1.Start.
 * Use `create(StartSchema)` to create a new message.
 */
export declare const StartSchema: GenMessage<Start>;

/**
 * Records a journal entry.
 *
 * @generated from message durable.v1.EntryRecorded
 */
export declare type EntryRecorded = Message<"durable.v1.EntryRecorded"> & {
  /**
   * The position in program order, from 0.
   *
   * @generated from field: int32 index = 1;
   */
  index: number;

  /**
   * What it is.
   *
   * @generated from field: durable.v1.EntryKind kind = 2;
   */
  kind: EntryKind;

  /**
   * Its name; see JournalEntry.name. At most 256 bytes.
   *
   * @generated from field: string name = 3;
   */
  name: string;

  /**
   * What is asked for, by kind: SET_STATE the value, INVOKE and SEND the input, RESOLVE the value.
   *
   * @generated from field: durable.v1.Payload argument = 4;
   */
  argument?: Payload | undefined;

  /**
   * RUN and CALL: how it ended. GET_STATE and STATE_KEYS: the value, where the worker has it.
   * RESOLVE: a failure to reject with.
   *
   * @generated from field: durable.v1.Outcome outcome = 5;
   */
  outcome?: Outcome | undefined;

  /**
   * SLEEP: how long from the commit; INVOKE, SEND: how much later to start.
   *
   * @generated from field: google.protobuf.Duration delay = 6;
   */
  delay?: Duration | undefined;

  /**
   * INVOKE, SEND: the object key. CANCEL, ATTACH, and RESOLVE for a signal: the target's id.
   *
   * @generated from field: string target = 7;
   */
  target: string;

  /**
   * INVOKE, SEND: the idempotency key.
   *
   * @generated from field: string idempotency_key = 8;
   */
  idempotencyKey: string;

  /**
   * INVOKE, SEND: the partition key.
   *
   * @generated from field: string partition_key = 9;
   */
  partitionKey: string;

  /**
   * RUN and CALL: how long the work took, in the attempt that ended it, by a monotonic clock of the
   * worker's. The entry's `create_time` is that much before its commit, though never before the
   * invocation's own; the program's clock does not depend on it. Absent or negative: not known, as 0.
   *
   * @generated from field: google.protobuf.Duration elapsed = 10;
   */
  elapsed?: Duration | undefined;

  /**
   * AWAKEABLE, SIGNAL: JSON Schema of the value that the program can read; empty for any. At most
   * 64 KiB. A value that is no JSON fits where a string does, for the program may want its bytes;
   * protobuf messages are not compared with it.
   *
   * @generated from field: string schema = 11;
   */
  schema: string;

  /**
   * AWAKEABLE: forget the outcome that the id has already, and wait for another.
   *
   * @generated from field: bool renew = 12;
   */
  renew: boolean;
};

/**
 * Describes the message durable.v1.EntryRecorded.
 * Use `create(EntryRecordedSchema)` to create a new message.
 */
export declare const EntryRecordedSchema: GenMessage<EntryRecorded>;

/**
 * Says that an entry is in the log.
 *
 * @generated from message durable.v1.Ack
 */
export declare type Ack = Message<"durable.v1.Ack"> & {
  /**
   * The entry.
   *
   * @generated from field: int32 index = 1;
   */
  index: number;

  /**
   * The number of its completion, when the entry had an outcome; else 0.
   *
   * @generated from field: int64 completion_number = 2;
   */
  completionNumber: bigint;

  /**
   * The commit time.
   *
   * @generated from field: google.protobuf.Timestamp time = 3;
   */
  time?: Timestamp | undefined;
};

/**
 * Describes the message durable.v1.Ack.
 * Use `create(AckSchema)` to create a new message.
 */
export declare const AckSchema: GenMessage<Ack>;

/**
 * Says that an operation has ended.
 *
 * @generated from message durable.v1.Completion
 */
export declare type Completion = Message<"durable.v1.Completion"> & {
  /**
   * The entry.
   *
   * @generated from field: int32 index = 1;
   */
  index: number;

  /**
   * How it ended.
   *
   * @generated from field: durable.v1.Outcome outcome = 2;
   */
  outcome?: Outcome | undefined;

  /**
   * The number of this completion.
   *
   * @generated from field: int64 completion_number = 3;
   */
  completionNumber: bigint;

  /**
   * The commit time.
   *
   * @generated from field: google.protobuf.Timestamp time = 4;
   */
  time?: Timestamp | undefined;
};

/**
 * Describes the message durable.v1.Completion.
 * Use `create(CompletionSchema)` to create a new message.
 */
export declare const CompletionSchema: GenMessage<Completion>;

/**
 * Says that the handler has ended.
 *
 * @generated from message durable.v1.Finished
 */
export declare type Finished = Message<"durable.v1.Finished"> & {
  /**
   * Its value, or the terminal failure that it raised.
   *
   * @generated from field: durable.v1.Outcome outcome = 1;
   */
  outcome?: Outcome | undefined;
};

/**
 * Describes the message durable.v1.Finished.
 * Use `create(FinishedSchema)` to create a new message.
 */
export declare const FinishedSchema: GenMessage<Finished>;

/**
 * Says that the attempt has failed.
 *
 * @generated from message durable.v1.AttemptFailed
 */
export declare type AttemptFailed = Message<"durable.v1.AttemptFailed"> & {
  /**
   * Why.
   *
   * @generated from field: durable.v1.Failure failure = 1;
   */
  failure?: Failure | undefined;

  /**
   * When set, the delay before the next attempt, instead of the retry policy's.
   *
   * @generated from field: google.protobuf.Duration retry_delay = 2;
   */
  retryDelay?: Duration | undefined;

  /**
   * The step that failed, if it was one; `retry_delay` is then required.
   *
   * @generated from field: optional int32 index = 3;
   */
  index?: number | undefined;

  /**
   * What that step is: RUN or CALL.
   *
   * @generated from field: durable.v1.EntryKind kind = 4;
   */
  kind: EntryKind;

  /**
   * That step's name; see JournalEntry.name. At most 256 bytes.
   *
   * @generated from field: string name = 5;
   */
  name: string;
};

/**
 * Describes the message durable.v1.AttemptFailed.
 * Use `create(AttemptFailedSchema)` to create a new message.
 */
export declare const AttemptFailedSchema: GenMessage<AttemptFailed>;

/**
 * Says that an invocation cannot go on until a person has looked at it.
 *
 * @generated from message durable.v1.Held
 */
export declare type Held = Message<"durable.v1.Held"> & {
  /**
   * Why; for a journal that does not fit the program, a `durable.DeterminismError`.
   *
   * @generated from field: durable.v1.Failure failure = 1;
   */
  failure?: Failure | undefined;
};

/**
 * Describes the message durable.v1.Held.
 * Use `create(HeldSchema)` to create a new message.
 */
export declare const HeldSchema: GenMessage<Held>;

/**
 * Says that an attempt is held, as was asked for.
 *
 * @generated from message durable.v1.Paused
 */
export declare type Paused = Message<"durable.v1.Paused"> & {
};

/**
 * Describes the message durable.v1.Paused.
 * Use `create(PausedSchema)` to create a new message.
 */
export declare const PausedSchema: GenMessage<Paused>;

/**
 * Asks to hold an attempt at its next boundary.
 *
 * @generated from message durable.v1.PauseRequested
 */
export declare type PauseRequested = Message<"durable.v1.PauseRequested"> & {
};

/**
 * Describes the message durable.v1.PauseRequested.
 * Use `create(PauseRequestedSchema)` to create a new message.
 */
export declare const PauseRequestedSchema: GenMessage<PauseRequested>;

/**
 * Says that an attempt only waits.
 *
 * @generated from message durable.v1.Suspend
 */
export declare type Suspend = Message<"durable.v1.Suspend"> & {
  /**
   * The number of the last completion that was delivered; 0 when there was none.
   *
   * @generated from field: int64 completion_number = 1;
   */
  completionNumber: bigint;
};

/**
 * Describes the message durable.v1.Suspend.
 * Use `create(SuspendSchema)` to create a new message.
 */
export declare const SuspendSchema: GenMessage<Suspend>;

/**
 * Gives an attempt back; it does not count as a failure.
 *
 * @generated from message durable.v1.Released
 */
export declare type Released = Message<"durable.v1.Released"> & {
};

/**
 * Describes the message durable.v1.Released.
 * Use `create(ReleasedSchema)` to create a new message.
 */
export declare const ReleasedSchema: GenMessage<Released>;

/**
 * Says that the attempt is suspended and no longer owned.
 *
 * @generated from message durable.v1.Suspended
 */
export declare type Suspended = Message<"durable.v1.Suspended"> & {
};

/**
 * Describes the message durable.v1.Suspended.
 * Use `create(SuspendedSchema)` to create a new message.
 */
export declare const SuspendedSchema: GenMessage<Suspended>;

/**
 * Says that the attempt is not the worker's any more.
 *
 * @generated from message durable.v1.Abandon
 */
export declare type Abandon = Message<"durable.v1.Abandon"> & {
  /**
   * Why, for the worker's log.
   *
   * @generated from field: string reason = 1;
   */
  reason: string;
};

/**
 * Describes the message durable.v1.Abandon.
 * Use `create(AbandonSchema)` to create a new message.
 */
export declare const AbandonSchema: GenMessage<Abandon>;

/**
 * Says that the end of the invocation is asked for.
 *
 * @generated from message durable.v1.CancelRequested
 */
export declare type CancelRequested = Message<"durable.v1.CancelRequested"> & {
  /**
   * Why, as the caller said.
   *
   * @generated from field: string reason = 1;
   */
  reason: string;

  /**
   * The number of this event among the invocation's completions: it is delivered in that order.
   *
   * @generated from field: int64 completion_number = 2;
   */
  completionNumber: bigint;

  /**
   * The commit time.
   *
   * @generated from field: google.protobuf.Timestamp time = 3;
   */
  time?: Timestamp | undefined;
};

/**
 * Describes the message durable.v1.CancelRequested.
 * Use `create(CancelRequestedSchema)` to create a new message.
 */
export declare const CancelRequestedSchema: GenMessage<CancelRequested>;

/**
 * The service that workers dial. There is no HTTP mapping: HTTP/JSON cannot carry the stream.
 *
 * @generated from service durable.v1.DurableWorker
 */
export declare const DurableWorker: GenService<{
  /**
   * One session of one worker; see the head of this file.
   *
   * @generated from rpc durable.v1.DurableWorker.Session
   */
  session: {
    methodKind: "bidi_streaming";
    input: typeof SessionRequestSchema;
    output: typeof SessionResponseSchema;
  },
}>;


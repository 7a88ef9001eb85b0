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
 * A frame from the server. At most 64 MiB, because a Start contains a whole journal: raise the
 * receive limit of the gRPC library, which is often 4 MiB.
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
   * The invocation that the message is about; empty for messages about the session.
   *
   * @generated from field: string invocation_id = 1;
   */
  invocationId: string;

  /**
   * The attempt that the message is about; 0 for messages about the session.
   *
   * @generated from field: int32 attempt = 2;
   */
  attempt: number;

  /**
   * The message itself.
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
     * About an invocation: it cannot go on until a person resumes it.
     *
     * @generated from field: durable.v1.Held held = 6;
     */
    value: Held;
    case: "held";
  } | {
    /**
     * About an invocation: the program only waits for completions.
     *
     * @generated from field: durable.v1.Suspend suspend = 7;
     */
    value: Suspend;
    case: "suspend";
  } | {
    /**
     * About an invocation: the worker gives it back; this is not a failure.
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
     * About the session: the sender is alive.
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
     * About an invocation: it has stopped, in answer to PauseRequested.
     *
     * @generated from field: durable.v1.Paused paused = 12;
     */
    value: Paused;
    case: "paused";
  } | {
    /**
     * About an invocation: the program continues as new.
     *
     * @generated from field: durable.v1.Continued continued = 13;
     */
    value: Continued;
    case: "continued";
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
   * The invocation that the message is about; empty for messages about the session.
   *
   * @generated from field: string invocation_id = 1;
   */
  invocationId: string;

  /**
   * The attempt that the message is about; 0 for messages about the session.
   *
   * @generated from field: int32 attempt = 2;
   */
  attempt: number;

  /**
   * The message itself.
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
     * About an invocation: an operation that the server completes has completed.
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
     * About an invocation: stop working on it and send nothing more about it.
     *
     * @generated from field: durable.v1.Abandon abandon = 7;
     */
    value: Abandon;
    case: "abandon";
  } | {
    /**
     * About an invocation: its cancellation was requested.
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
     * About the session: the sender is alive.
     *
     * @generated from field: durable.v1.Heartbeat heartbeat = 10;
     */
    value: Heartbeat;
    case: "heartbeat";
  } | {
    /**
     * About the session: open another one.
     *
     * @generated from field: durable.v1.Drain drain = 11;
     */
    value: Drain;
    case: "drain";
  } | {
    /**
     * About an invocation: pause it at its next journal boundary.
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
 * The first message of a worker.
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
   * An id that is new for each start of the worker process, and the same for all its sessions. 1 to
   * 64 characters `[A-Za-z0-9_-]`.
   *
   * @generated from field: string worker_id = 2;
   */
  workerId: string;

  /**
   * A name for people: host and process id, for example.
   *
   * @generated from field: string identity = 3;
   */
  identity: string;

  /**
   * The build that the worker runs: the same for all workers with the same code, and another one
   * after each change. At most `id_bytes`. Empty: unknown; then no handler may be pinned.
   *
   * @generated from field: string build_id = 4;
   */
  buildId: string;

  /**
   * The handlers that it serves. At most 1,000.
   *
   * @generated from field: repeated durable.v1.HandlerSpec handlers = 5;
   */
  handlers: HandlerSpec[];

  /**
   * How many attempts it holds at most; 1 to 100,000.
   *
   * @generated from field: int32 slot_count = 6;
   */
  slotCount: number;

  /**
   * Features beyond this protocol version; unknown names are ignored.
   *
   * @generated from field: repeated string capabilities = 7;
   */
  capabilities: string[];

  /**
   * After a reconnect: the attempts that it still holds.
   *
   * @generated from field: repeated durable.v1.OwnedAttempt resumed = 8;
   */
  resumed: OwnedAttempt[];

  /**
   * The number of this session among those that the worker has opened, counted from 1. Hellos of one
   * worker may overtake each other on their way through several nodes; one with a lower number than
   * another that has come is refused with UNAVAILABLE. 0 if the worker does not count.
   *
   * @generated from field: int64 session_number = 9;
   */
  sessionNumber: bigint;
};

/**
 * Describes the message durable.v1.Hello.
 * Use `create(HelloSchema)` to create a new message.
 */
export declare const HelloSchema: GenMessage<Hello>;

/**
 * One attempt of one invocation.
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
   * The leader's epoch; on a node of a cluster that of its first partition, 0 if it leads none.
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
   * After how long without a message the other side counts as gone.
   *
   * @generated from field: google.protobuf.Duration session_timeout = 4;
   */
  sessionTimeout?: Duration | undefined;

  /**
   * How long the server reserves the worker's attempts after its stream has ended.
   *
   * @generated from field: google.protobuf.Duration reconnect_grace = 5;
   */
  reconnectGrace?: Duration | undefined;

  /**
   * The named limits that a worker must observe: `payload_bytes`, `frame_bytes`, `journal_entries`,
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
 * Shows that the sender is alive.
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
 * The worker takes no new work.
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
 * Requests that the worker opens another session.
 *
 * @generated from message durable.v1.Drain
 */
export declare type Drain = Message<"durable.v1.Drain"> & {
  /**
   * How long to wait before reconnecting.
   *
   * @generated from field: google.protobuf.Duration delay = 1;
   */
  delay?: Duration | undefined;

  /**
   * Whether to open it at another address, if the worker has several.
   *
   * @generated from field: bool elsewhere = 2;
   */
  elsewhere: boolean;
};

/**
 * Describes the message durable.v1.Drain.
 * Use `create(DrainSchema)` to create a new message.
 */
export declare const DrainSchema: GenMessage<Drain>;

/**
 * Dispatches an attempt to the worker.
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
   * Its input; absent if the handler is to be called without arguments.
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
   * The version of the handler that recorded the journal; empty on a first attempt without a journal.
   *
   * @generated from field: string version = 11;
   */
  version: string;

  /**
   * Set if a cancellation was requested before this attempt.
   *
   * @generated from field: durable.v1.CancelRequested cancel_requested = 12;
   */
  cancelRequested?: CancelRequested | undefined;

  /**
   * The current state by name: the invocation's own, or the object key's.
   *
   * @generated from field: map<string, durable.v1.Payload> state = 13;
   */
  state: { [key: string]: Payload };

  /**
   * True if `state` is the whole state.
   *
   * @generated from field: bool state_complete = 14;
   */
  stateComplete: boolean;

  /**
   * How often each step that is not in the journal has failed, by index.
   *
   * @generated from field: map<int32, int32> step_failures = 15;
   */
  stepFailures: { [key: number]: number };

  /**
   * How long before the dispatch of this attempt the first of those failures was, by index.
   *
   * @generated from field: map<int32, google.protobuf.Duration> step_failing = 16;
   */
  stepFailing: { [key: number]: Duration };

  /**
   * The index of the program's first operation: 0, or what the runs before have left; see section 13.
   *
   * @generated from field: int32 first_index = 17;
   */
  firstIndex: number;

  /**
   * The number of completions before this run's first one, which has the next number.
   *
   * @generated from field: int64 completions_before = 18;
   */
  completionsBefore: bigint;

  /**
   * The number of the run, from 1.
   *
   * @generated from field: int32 run = 19;
   */
  run: number;
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
   * The index in program order, from 0.
   *
   * @generated from field: int32 index = 1;
   */
  index: number;

  /**
   * The kind.
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
   * The argument, by kind: SET_STATE the value, INVOKE and SEND the input, RESOLVE the value.
   *
   * @generated from field: durable.v1.Payload argument = 4;
   */
  argument?: Payload | undefined;

  /**
   * RUN and CALL: the outcome of the work. GET_STATE and STATE_KEYS: the value, if the worker has
   * it. RESOLVE: a failure, to reject the awakeable.
   *
   * @generated from field: durable.v1.Outcome outcome = 5;
   */
  outcome?: Outcome | undefined;

  /**
   * SLEEP: the time from the commit; INVOKE, SEND: by how much the start is delayed.
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
   * RUN and CALL: how long the work took in the attempt that ended it, by the worker's monotonic
   * clock. The entry's `create_time` is that much before its commit, but not before the invocation's
   * own; the program's clock does not depend on it. Absent or negative means unknown, like 0.
   *
   * @generated from field: google.protobuf.Duration elapsed = 10;
   */
  elapsed?: Duration | undefined;

  /**
   * AWAKEABLE, SIGNAL: JSON Schema of the value that the program can read; empty for any value. At
   * most 64 KiB. A value that is not JSON fits where a string fits, because the program may want its
   * bytes; protobuf messages are not checked.
   *
   * @generated from field: string schema = 11;
   */
  schema: string;

  /**
   * AWAKEABLE: forget the outcome that the id already has, and wait for another one.
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
 * An entry is in the log.
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
   * The number of its completion if the entry had an outcome, else 0.
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
 * An operation has completed.
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
   * Its outcome.
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
 * The handler has returned or failed for good.
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
 * The attempt has failed and may be retried.
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
   * If set, the delay before the next attempt, instead of the retry policy's.
   *
   * @generated from field: google.protobuf.Duration retry_delay = 2;
   */
  retryDelay?: Duration | undefined;

  /**
   * The step that failed, if a step failed; `retry_delay` is then required.
   *
   * @generated from field: optional int32 index = 3;
   */
  index?: number | undefined;

  /**
   * The kind of that step: RUN or CALL.
   *
   * @generated from field: durable.v1.EntryKind kind = 4;
   */
  kind: EntryKind;

  /**
   * The name of that step; see JournalEntry.name. At most 256 bytes.
   *
   * @generated from field: string name = 5;
   */
  name: string;

  /**
   * Other steps that have failed in the same attempt, each once, and that are to be retried too. Their
   * tries count like that of the first one, and the next attempt runs all of them, so `retry_delay` is
   * the longest of their delays.
   *
   * @generated from field: repeated durable.v1.FailedStep other_steps = 6;
   */
  otherSteps: FailedStep[];
};

/**
 * Describes the message durable.v1.AttemptFailed.
 * Use `create(AttemptFailedSchema)` to create a new message.
 */
export declare const AttemptFailedSchema: GenMessage<AttemptFailed>;

/**
 * A step that has failed beside the one that an AttemptFailed names.
 *
 * @generated from message durable.v1.FailedStep
 */
export declare type FailedStep = Message<"durable.v1.FailedStep"> & {
  /**
   * The index of its entry.
   *
   * @generated from field: int32 index = 1;
   */
  index: number;

  /**
   * Its kind: RUN or CALL.
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
   * Why it failed. The control plane keeps the type and the beginning of the message.
   *
   * @generated from field: durable.v1.Failure failure = 4;
   */
  failure?: Failure | undefined;
};

/**
 * Describes the message durable.v1.FailedStep.
 * Use `create(FailedStepSchema)` to create a new message.
 */
export declare const FailedStepSchema: GenMessage<FailedStep>;

/**
 * The invocation cannot go on until a person resumes it.
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
 * The attempt has stopped, in answer to PauseRequested.
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
 * The program continues as new: the run ends, and another one begins.
 *
 * @generated from message durable.v1.Continued
 */
export declare type Continued = Message<"durable.v1.Continued"> & {
  /**
   * The input of the next run; absent if the handler is to be called without arguments.
   *
   * @generated from field: durable.v1.Payload input = 1;
   */
  input?: Payload | undefined;

  /**
   * The number of the last completion that the program has got, as in Suspend.
   *
   * @generated from field: int64 completion_number = 2;
   */
  completionNumber: bigint;

  /**
   * The index that the program's next operation would have had.
   *
   * @generated from field: int32 next_index = 3;
   */
  nextIndex: number;
};

/**
 * Describes the message durable.v1.Continued.
 * Use `create(ContinuedSchema)` to create a new message.
 */
export declare const ContinuedSchema: GenMessage<Continued>;

/**
 * Requests that an attempt stops at its next journal boundary.
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
 * The program of the attempt only waits for completions.
 *
 * @generated from message durable.v1.Suspend
 */
export declare type Suspend = Message<"durable.v1.Suspend"> & {
  /**
   * The number of the last completion that was delivered; 0 if there was none.
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
 * The worker gives the attempt back; this does not count as a failure.
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
 * The attempt is suspended, and the worker no longer owns it.
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
 * The worker no longer owns the attempt.
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
 * The cancellation of the invocation was requested.
 *
 * @generated from message durable.v1.CancelRequested
 */
export declare type CancelRequested = Message<"durable.v1.CancelRequested"> & {
  /**
   * The reason that the caller gave.
   *
   * @generated from field: string reason = 1;
   */
  reason: string;

  /**
   * The number of this event among the invocation's completions, which sets when it is delivered.
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
 * The service that workers dial. It has no HTTP mapping, because HTTP/JSON cannot carry the stream.
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


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

// Code generated by protoc-gen-go-grpc. DO NOT EDIT.
// versions:
// - protoc-gen-go-grpc v1.6.0
// - protoc             v6.31.1
// source: durable/v1/worker.proto

package durablev1

import (
	context "context"
	grpc "google.golang.org/grpc"
	codes "google.golang.org/grpc/codes"
	status "google.golang.org/grpc/status"
)

// This is a compile-time assertion to ensure that this generated file
// is compatible with the grpc package it is being compiled against.
// Requires gRPC-Go v1.64.0 or later.
const _ = grpc.SupportPackageIsVersion9

const (
	DurableWorker_Session_FullMethodName = "/durable.v1.DurableWorker/Session"
)

// DurableWorkerClient is the client API for DurableWorker service.
//
// For semantics around ctx use and closing/ending streaming RPCs, please refer to https://pkg.go.dev/google.golang.org/grpc/?tab=doc#ClientConn.NewStream.
//
// The service that workers dial. It has no HTTP mapping, because HTTP/JSON cannot carry the stream.
type DurableWorkerClient interface {
	// One session of one worker; see the head of this file.
	Session(ctx context.Context, opts ...grpc.CallOption) (grpc.BidiStreamingClient[SessionRequest, SessionResponse], error)
}

type durableWorkerClient struct {
	cc grpc.ClientConnInterface
}

func NewDurableWorkerClient(cc grpc.ClientConnInterface) DurableWorkerClient {
	return &durableWorkerClient{cc}
}

func (c *durableWorkerClient) Session(ctx context.Context, opts ...grpc.CallOption) (grpc.BidiStreamingClient[SessionRequest, SessionResponse], error) {
	cOpts := append([]grpc.CallOption{grpc.StaticMethod()}, opts...)
	stream, err := c.cc.NewStream(ctx, &DurableWorker_ServiceDesc.Streams[0], DurableWorker_Session_FullMethodName, cOpts...)
	if err != nil {
		return nil, err
	}
	x := &grpc.GenericClientStream[SessionRequest, SessionResponse]{ClientStream: stream}
	return x, nil
}

// This type alias is provided for backwards compatibility with existing code that references the prior non-generic stream type by name.
type DurableWorker_SessionClient = grpc.BidiStreamingClient[SessionRequest, SessionResponse]

// DurableWorkerServer is the server API for DurableWorker service.
// All implementations must embed UnimplementedDurableWorkerServer
// for forward compatibility.
//
// The service that workers dial. It has no HTTP mapping, because HTTP/JSON cannot carry the stream.
type DurableWorkerServer interface {
	// One session of one worker; see the head of this file.
	Session(grpc.BidiStreamingServer[SessionRequest, SessionResponse]) error
	mustEmbedUnimplementedDurableWorkerServer()
}

// UnimplementedDurableWorkerServer must be embedded to have
// forward compatible implementations.
//
// NOTE: this should be embedded by value instead of pointer to avoid a nil
// pointer dereference when methods are called.
type UnimplementedDurableWorkerServer struct{}

func (UnimplementedDurableWorkerServer) Session(grpc.BidiStreamingServer[SessionRequest, SessionResponse]) error {
	return status.Error(codes.Unimplemented, "method Session not implemented")
}
func (UnimplementedDurableWorkerServer) mustEmbedUnimplementedDurableWorkerServer() {}
func (UnimplementedDurableWorkerServer) testEmbeddedByValue()                       {}

// UnsafeDurableWorkerServer may be embedded to opt out of forward compatibility for this service.
// Use of this interface is not recommended, as added methods to DurableWorkerServer will
// result in compilation errors.
type UnsafeDurableWorkerServer interface {
	mustEmbedUnimplementedDurableWorkerServer()
}

func RegisterDurableWorkerServer(s grpc.ServiceRegistrar, srv DurableWorkerServer) {
	// If the following call panics, it indicates UnimplementedDurableWorkerServer was
	// embedded by pointer and is nil.  This will cause panics if an
	// unimplemented method is ever invoked, so we test this at initialization
	// time to prevent it from happening at runtime later due to I/O.
	if t, ok := srv.(interface{ testEmbeddedByValue() }); ok {
		t.testEmbeddedByValue()
	}
	s.RegisterService(&DurableWorker_ServiceDesc, srv)
}

func _DurableWorker_Session_Handler(srv interface{}, stream grpc.ServerStream) error {
	return srv.(DurableWorkerServer).Session(&grpc.GenericServerStream[SessionRequest, SessionResponse]{ServerStream: stream})
}

// This type alias is provided for backwards compatibility with existing code that references the prior non-generic stream type by name.
type DurableWorker_SessionServer = grpc.BidiStreamingServer[SessionRequest, SessionResponse]

// DurableWorker_ServiceDesc is the grpc.ServiceDesc for DurableWorker service.
// It's only intended for direct use with grpc.RegisterService,
// and not to be introspected or modified (even as a copy)
var DurableWorker_ServiceDesc = grpc.ServiceDesc{
	ServiceName: "durable.v1.DurableWorker",
	HandlerType: (*DurableWorkerServer)(nil),
	Methods:     []grpc.MethodDesc{},
	Streams: []grpc.StreamDesc{
		{
			StreamName:    "Session",
			Handler:       _DurableWorker_Session_Handler,
			ServerStreams: true,
			ClientStreams: true,
		},
	},
	Metadata: "durable/v1/worker.proto",
}

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
// The service that workers dial. There is no HTTP mapping: HTTP/JSON cannot carry the stream.
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
// The service that workers dial. There is no HTTP mapping: HTTP/JSON cannot carry the stream.
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

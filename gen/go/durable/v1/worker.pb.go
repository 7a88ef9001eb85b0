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

// Code generated by protoc-gen-go. DO NOT EDIT.
// versions:
// 	protoc-gen-go v1.36.11
// 	protoc        v6.31.1
// source: durable/v1/worker.proto

package durablev1

import (
	protoreflect "google.golang.org/protobuf/reflect/protoreflect"
	protoimpl "google.golang.org/protobuf/runtime/protoimpl"
	durationpb "google.golang.org/protobuf/types/known/durationpb"
	timestamppb "google.golang.org/protobuf/types/known/timestamppb"
	reflect "reflect"
	sync "sync"
	unsafe "unsafe"
)

const (
	// Verify that this generated code is sufficiently up-to-date.
	_ = protoimpl.EnforceVersion(20 - protoimpl.MinVersion)
	// Verify that runtime/protoimpl is sufficiently up-to-date.
	_ = protoimpl.EnforceVersion(protoimpl.MaxVersion - 20)
)

// A frame from the worker. At most 4 MiB.
type SessionRequest struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Handled in order.
	Messages      []*WorkerMessage `protobuf:"bytes,1,rep,name=messages,proto3" json:"messages,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *SessionRequest) Reset() {
	*x = SessionRequest{}
	mi := &file_durable_v1_worker_proto_msgTypes[0]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *SessionRequest) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*SessionRequest) ProtoMessage() {}

func (x *SessionRequest) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[0]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use SessionRequest.ProtoReflect.Descriptor instead.
func (*SessionRequest) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{0}
}

func (x *SessionRequest) GetMessages() []*WorkerMessage {
	if x != nil {
		return x.Messages
	}
	return nil
}

// A frame from the server. At most 64 MiB, because a Start contains a whole journal: raise the
// receive limit of the gRPC library, which is often 4 MiB.
type SessionResponse struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Handled in order.
	Messages      []*ServerMessage `protobuf:"bytes,1,rep,name=messages,proto3" json:"messages,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *SessionResponse) Reset() {
	*x = SessionResponse{}
	mi := &file_durable_v1_worker_proto_msgTypes[1]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *SessionResponse) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*SessionResponse) ProtoMessage() {}

func (x *SessionResponse) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[1]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use SessionResponse.ProtoReflect.Descriptor instead.
func (*SessionResponse) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{1}
}

func (x *SessionResponse) GetMessages() []*ServerMessage {
	if x != nil {
		return x.Messages
	}
	return nil
}

// One message of a worker.
type WorkerMessage struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The invocation that the message is about; empty for messages about the session.
	InvocationId string `protobuf:"bytes,1,opt,name=invocation_id,json=invocationId,proto3" json:"invocation_id,omitempty"`
	// The attempt that the message is about; 0 for messages about the session.
	Attempt int32 `protobuf:"varint,2,opt,name=attempt,proto3" json:"attempt,omitempty"`
	// The message itself.
	//
	// Types that are valid to be assigned to Message:
	//
	//	*WorkerMessage_Entry
	//	*WorkerMessage_Finished
	//	*WorkerMessage_AttemptFailed
	//	*WorkerMessage_Held
	//	*WorkerMessage_Suspend
	//	*WorkerMessage_Released
	//	*WorkerMessage_Hello
	//	*WorkerMessage_Heartbeat
	//	*WorkerMessage_Draining
	//	*WorkerMessage_Paused
	//	*WorkerMessage_Continued
	Message       isWorkerMessage_Message `protobuf_oneof:"message"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *WorkerMessage) Reset() {
	*x = WorkerMessage{}
	mi := &file_durable_v1_worker_proto_msgTypes[2]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *WorkerMessage) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*WorkerMessage) ProtoMessage() {}

func (x *WorkerMessage) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[2]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use WorkerMessage.ProtoReflect.Descriptor instead.
func (*WorkerMessage) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{2}
}

func (x *WorkerMessage) GetInvocationId() string {
	if x != nil {
		return x.InvocationId
	}
	return ""
}

func (x *WorkerMessage) GetAttempt() int32 {
	if x != nil {
		return x.Attempt
	}
	return 0
}

func (x *WorkerMessage) GetMessage() isWorkerMessage_Message {
	if x != nil {
		return x.Message
	}
	return nil
}

func (x *WorkerMessage) GetEntry() *EntryRecorded {
	if x != nil {
		if x, ok := x.Message.(*WorkerMessage_Entry); ok {
			return x.Entry
		}
	}
	return nil
}

func (x *WorkerMessage) GetFinished() *Finished {
	if x != nil {
		if x, ok := x.Message.(*WorkerMessage_Finished); ok {
			return x.Finished
		}
	}
	return nil
}

func (x *WorkerMessage) GetAttemptFailed() *AttemptFailed {
	if x != nil {
		if x, ok := x.Message.(*WorkerMessage_AttemptFailed); ok {
			return x.AttemptFailed
		}
	}
	return nil
}

func (x *WorkerMessage) GetHeld() *Held {
	if x != nil {
		if x, ok := x.Message.(*WorkerMessage_Held); ok {
			return x.Held
		}
	}
	return nil
}

func (x *WorkerMessage) GetSuspend() *Suspend {
	if x != nil {
		if x, ok := x.Message.(*WorkerMessage_Suspend); ok {
			return x.Suspend
		}
	}
	return nil
}

func (x *WorkerMessage) GetReleased() *Released {
	if x != nil {
		if x, ok := x.Message.(*WorkerMessage_Released); ok {
			return x.Released
		}
	}
	return nil
}

func (x *WorkerMessage) GetHello() *Hello {
	if x != nil {
		if x, ok := x.Message.(*WorkerMessage_Hello); ok {
			return x.Hello
		}
	}
	return nil
}

func (x *WorkerMessage) GetHeartbeat() *Heartbeat {
	if x != nil {
		if x, ok := x.Message.(*WorkerMessage_Heartbeat); ok {
			return x.Heartbeat
		}
	}
	return nil
}

func (x *WorkerMessage) GetDraining() *Draining {
	if x != nil {
		if x, ok := x.Message.(*WorkerMessage_Draining); ok {
			return x.Draining
		}
	}
	return nil
}

func (x *WorkerMessage) GetPaused() *Paused {
	if x != nil {
		if x, ok := x.Message.(*WorkerMessage_Paused); ok {
			return x.Paused
		}
	}
	return nil
}

func (x *WorkerMessage) GetContinued() *Continued {
	if x != nil {
		if x, ok := x.Message.(*WorkerMessage_Continued); ok {
			return x.Continued
		}
	}
	return nil
}

type isWorkerMessage_Message interface {
	isWorkerMessage_Message()
}

type WorkerMessage_Entry struct {
	// About an invocation: a journal entry.
	Entry *EntryRecorded `protobuf:"bytes,3,opt,name=entry,proto3,oneof"`
}

type WorkerMessage_Finished struct {
	// About an invocation: the handler has ended.
	Finished *Finished `protobuf:"bytes,4,opt,name=finished,proto3,oneof"`
}

type WorkerMessage_AttemptFailed struct {
	// About an invocation: the attempt has failed and may be retried.
	AttemptFailed *AttemptFailed `protobuf:"bytes,5,opt,name=attempt_failed,json=attemptFailed,proto3,oneof"`
}

type WorkerMessage_Held struct {
	// About an invocation: it cannot go on until a person resumes it.
	Held *Held `protobuf:"bytes,6,opt,name=held,proto3,oneof"`
}

type WorkerMessage_Suspend struct {
	// About an invocation: the program only waits for completions.
	Suspend *Suspend `protobuf:"bytes,7,opt,name=suspend,proto3,oneof"`
}

type WorkerMessage_Released struct {
	// About an invocation: the worker gives it back; this is not a failure.
	Released *Released `protobuf:"bytes,8,opt,name=released,proto3,oneof"`
}

type WorkerMessage_Hello struct {
	// About the session: the first message.
	Hello *Hello `protobuf:"bytes,9,opt,name=hello,proto3,oneof"`
}

type WorkerMessage_Heartbeat struct {
	// About the session: the sender is alive.
	Heartbeat *Heartbeat `protobuf:"bytes,10,opt,name=heartbeat,proto3,oneof"`
}

type WorkerMessage_Draining struct {
	// About the session: send no new work.
	Draining *Draining `protobuf:"bytes,11,opt,name=draining,proto3,oneof"`
}

type WorkerMessage_Paused struct {
	// About an invocation: it has stopped, in answer to PauseRequested.
	Paused *Paused `protobuf:"bytes,12,opt,name=paused,proto3,oneof"`
}

type WorkerMessage_Continued struct {
	// About an invocation: the program continues as new.
	Continued *Continued `protobuf:"bytes,13,opt,name=continued,proto3,oneof"`
}

func (*WorkerMessage_Entry) isWorkerMessage_Message() {}

func (*WorkerMessage_Finished) isWorkerMessage_Message() {}

func (*WorkerMessage_AttemptFailed) isWorkerMessage_Message() {}

func (*WorkerMessage_Held) isWorkerMessage_Message() {}

func (*WorkerMessage_Suspend) isWorkerMessage_Message() {}

func (*WorkerMessage_Released) isWorkerMessage_Message() {}

func (*WorkerMessage_Hello) isWorkerMessage_Message() {}

func (*WorkerMessage_Heartbeat) isWorkerMessage_Message() {}

func (*WorkerMessage_Draining) isWorkerMessage_Message() {}

func (*WorkerMessage_Paused) isWorkerMessage_Message() {}

func (*WorkerMessage_Continued) isWorkerMessage_Message() {}

// One message of the server.
type ServerMessage struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The invocation that the message is about; empty for messages about the session.
	InvocationId string `protobuf:"bytes,1,opt,name=invocation_id,json=invocationId,proto3" json:"invocation_id,omitempty"`
	// The attempt that the message is about; 0 for messages about the session.
	Attempt int32 `protobuf:"varint,2,opt,name=attempt,proto3" json:"attempt,omitempty"`
	// The message itself.
	//
	// Types that are valid to be assigned to Message:
	//
	//	*ServerMessage_Start
	//	*ServerMessage_Ack
	//	*ServerMessage_Completion
	//	*ServerMessage_Suspended
	//	*ServerMessage_Abandon
	//	*ServerMessage_CancelRequested
	//	*ServerMessage_Welcome
	//	*ServerMessage_Heartbeat
	//	*ServerMessage_Drain
	//	*ServerMessage_PauseRequested
	Message       isServerMessage_Message `protobuf_oneof:"message"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *ServerMessage) Reset() {
	*x = ServerMessage{}
	mi := &file_durable_v1_worker_proto_msgTypes[3]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *ServerMessage) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*ServerMessage) ProtoMessage() {}

func (x *ServerMessage) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[3]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use ServerMessage.ProtoReflect.Descriptor instead.
func (*ServerMessage) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{3}
}

func (x *ServerMessage) GetInvocationId() string {
	if x != nil {
		return x.InvocationId
	}
	return ""
}

func (x *ServerMessage) GetAttempt() int32 {
	if x != nil {
		return x.Attempt
	}
	return 0
}

func (x *ServerMessage) GetMessage() isServerMessage_Message {
	if x != nil {
		return x.Message
	}
	return nil
}

func (x *ServerMessage) GetStart() *Start {
	if x != nil {
		if x, ok := x.Message.(*ServerMessage_Start); ok {
			return x.Start
		}
	}
	return nil
}

func (x *ServerMessage) GetAck() *Ack {
	if x != nil {
		if x, ok := x.Message.(*ServerMessage_Ack); ok {
			return x.Ack
		}
	}
	return nil
}

func (x *ServerMessage) GetCompletion() *Completion {
	if x != nil {
		if x, ok := x.Message.(*ServerMessage_Completion); ok {
			return x.Completion
		}
	}
	return nil
}

func (x *ServerMessage) GetSuspended() *Suspended {
	if x != nil {
		if x, ok := x.Message.(*ServerMessage_Suspended); ok {
			return x.Suspended
		}
	}
	return nil
}

func (x *ServerMessage) GetAbandon() *Abandon {
	if x != nil {
		if x, ok := x.Message.(*ServerMessage_Abandon); ok {
			return x.Abandon
		}
	}
	return nil
}

func (x *ServerMessage) GetCancelRequested() *CancelRequested {
	if x != nil {
		if x, ok := x.Message.(*ServerMessage_CancelRequested); ok {
			return x.CancelRequested
		}
	}
	return nil
}

func (x *ServerMessage) GetWelcome() *Welcome {
	if x != nil {
		if x, ok := x.Message.(*ServerMessage_Welcome); ok {
			return x.Welcome
		}
	}
	return nil
}

func (x *ServerMessage) GetHeartbeat() *Heartbeat {
	if x != nil {
		if x, ok := x.Message.(*ServerMessage_Heartbeat); ok {
			return x.Heartbeat
		}
	}
	return nil
}

func (x *ServerMessage) GetDrain() *Drain {
	if x != nil {
		if x, ok := x.Message.(*ServerMessage_Drain); ok {
			return x.Drain
		}
	}
	return nil
}

func (x *ServerMessage) GetPauseRequested() *PauseRequested {
	if x != nil {
		if x, ok := x.Message.(*ServerMessage_PauseRequested); ok {
			return x.PauseRequested
		}
	}
	return nil
}

type isServerMessage_Message interface {
	isServerMessage_Message()
}

type ServerMessage_Start struct {
	// About an invocation: run it.
	Start *Start `protobuf:"bytes,3,opt,name=start,proto3,oneof"`
}

type ServerMessage_Ack struct {
	// About an invocation: an entry is in the log.
	Ack *Ack `protobuf:"bytes,4,opt,name=ack,proto3,oneof"`
}

type ServerMessage_Completion struct {
	// About an invocation: an operation that the server completes has completed.
	Completion *Completion `protobuf:"bytes,5,opt,name=completion,proto3,oneof"`
}

type ServerMessage_Suspended struct {
	// About an invocation: it is suspended.
	Suspended *Suspended `protobuf:"bytes,6,opt,name=suspended,proto3,oneof"`
}

type ServerMessage_Abandon struct {
	// About an invocation: stop working on it and send nothing more about it.
	Abandon *Abandon `protobuf:"bytes,7,opt,name=abandon,proto3,oneof"`
}

type ServerMessage_CancelRequested struct {
	// About an invocation: its cancellation was requested.
	CancelRequested *CancelRequested `protobuf:"bytes,8,opt,name=cancel_requested,json=cancelRequested,proto3,oneof"`
}

type ServerMessage_Welcome struct {
	// About the session: the answer to Hello.
	Welcome *Welcome `protobuf:"bytes,9,opt,name=welcome,proto3,oneof"`
}

type ServerMessage_Heartbeat struct {
	// About the session: the sender is alive.
	Heartbeat *Heartbeat `protobuf:"bytes,10,opt,name=heartbeat,proto3,oneof"`
}

type ServerMessage_Drain struct {
	// About the session: open another one.
	Drain *Drain `protobuf:"bytes,11,opt,name=drain,proto3,oneof"`
}

type ServerMessage_PauseRequested struct {
	// About an invocation: pause it at its next journal boundary.
	PauseRequested *PauseRequested `protobuf:"bytes,12,opt,name=pause_requested,json=pauseRequested,proto3,oneof"`
}

func (*ServerMessage_Start) isServerMessage_Message() {}

func (*ServerMessage_Ack) isServerMessage_Message() {}

func (*ServerMessage_Completion) isServerMessage_Message() {}

func (*ServerMessage_Suspended) isServerMessage_Message() {}

func (*ServerMessage_Abandon) isServerMessage_Message() {}

func (*ServerMessage_CancelRequested) isServerMessage_Message() {}

func (*ServerMessage_Welcome) isServerMessage_Message() {}

func (*ServerMessage_Heartbeat) isServerMessage_Message() {}

func (*ServerMessage_Drain) isServerMessage_Message() {}

func (*ServerMessage_PauseRequested) isServerMessage_Message() {}

// The first message of a worker.
type Hello struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The newest protocol version that the worker speaks. This file is version 1.
	ProtocolVersion int32 `protobuf:"varint,1,opt,name=protocol_version,json=protocolVersion,proto3" json:"protocol_version,omitempty"`
	// An id that is new for each start of the worker process, and the same for all its sessions. 1 to
	// 64 characters `[A-Za-z0-9_-]`.
	WorkerId string `protobuf:"bytes,2,opt,name=worker_id,json=workerId,proto3" json:"worker_id,omitempty"`
	// A name for people: host and process id, for example.
	Identity string `protobuf:"bytes,3,opt,name=identity,proto3" json:"identity,omitempty"`
	// The build that the worker runs: the same for all workers with the same code, and another one
	// after each change. At most `id_bytes`. Empty: unknown; then no handler may be pinned.
	BuildId string `protobuf:"bytes,4,opt,name=build_id,json=buildId,proto3" json:"build_id,omitempty"`
	// The handlers that it serves. At most 1,000.
	Handlers []*HandlerSpec `protobuf:"bytes,5,rep,name=handlers,proto3" json:"handlers,omitempty"`
	// How many attempts it holds at most; 1 to 100,000.
	SlotCount int32 `protobuf:"varint,6,opt,name=slot_count,json=slotCount,proto3" json:"slot_count,omitempty"`
	// Features beyond this protocol version; unknown names are ignored.
	Capabilities []string `protobuf:"bytes,7,rep,name=capabilities,proto3" json:"capabilities,omitempty"`
	// After a reconnect: the attempts that it still holds.
	Resumed []*OwnedAttempt `protobuf:"bytes,8,rep,name=resumed,proto3" json:"resumed,omitempty"`
	// The number of this session among those that the worker has opened, counted from 1. Hellos of one
	// worker may overtake each other on their way through several nodes; one with a lower number than
	// another that has come is refused with UNAVAILABLE. 0 if the worker does not count.
	SessionNumber int64 `protobuf:"varint,9,opt,name=session_number,json=sessionNumber,proto3" json:"session_number,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Hello) Reset() {
	*x = Hello{}
	mi := &file_durable_v1_worker_proto_msgTypes[4]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Hello) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Hello) ProtoMessage() {}

func (x *Hello) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[4]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Hello.ProtoReflect.Descriptor instead.
func (*Hello) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{4}
}

func (x *Hello) GetProtocolVersion() int32 {
	if x != nil {
		return x.ProtocolVersion
	}
	return 0
}

func (x *Hello) GetWorkerId() string {
	if x != nil {
		return x.WorkerId
	}
	return ""
}

func (x *Hello) GetIdentity() string {
	if x != nil {
		return x.Identity
	}
	return ""
}

func (x *Hello) GetBuildId() string {
	if x != nil {
		return x.BuildId
	}
	return ""
}

func (x *Hello) GetHandlers() []*HandlerSpec {
	if x != nil {
		return x.Handlers
	}
	return nil
}

func (x *Hello) GetSlotCount() int32 {
	if x != nil {
		return x.SlotCount
	}
	return 0
}

func (x *Hello) GetCapabilities() []string {
	if x != nil {
		return x.Capabilities
	}
	return nil
}

func (x *Hello) GetResumed() []*OwnedAttempt {
	if x != nil {
		return x.Resumed
	}
	return nil
}

func (x *Hello) GetSessionNumber() int64 {
	if x != nil {
		return x.SessionNumber
	}
	return 0
}

// One attempt of one invocation.
type OwnedAttempt struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The invocation.
	InvocationId string `protobuf:"bytes,1,opt,name=invocation_id,json=invocationId,proto3" json:"invocation_id,omitempty"`
	// The attempt.
	Attempt       int32 `protobuf:"varint,2,opt,name=attempt,proto3" json:"attempt,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *OwnedAttempt) Reset() {
	*x = OwnedAttempt{}
	mi := &file_durable_v1_worker_proto_msgTypes[5]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *OwnedAttempt) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*OwnedAttempt) ProtoMessage() {}

func (x *OwnedAttempt) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[5]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use OwnedAttempt.ProtoReflect.Descriptor instead.
func (*OwnedAttempt) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{5}
}

func (x *OwnedAttempt) GetInvocationId() string {
	if x != nil {
		return x.InvocationId
	}
	return ""
}

func (x *OwnedAttempt) GetAttempt() int32 {
	if x != nil {
		return x.Attempt
	}
	return 0
}

// Accepts a worker.
type Welcome struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The protocol version of this session: the lower of both sides' newest.
	ProtocolVersion int32 `protobuf:"varint,1,opt,name=protocol_version,json=protocolVersion,proto3" json:"protocol_version,omitempty"`
	// The leader's epoch; on a node of a cluster that of its first partition, 0 if it leads none.
	Epoch int64 `protobuf:"varint,2,opt,name=epoch,proto3" json:"epoch,omitempty"`
	// How long either side may be silent before it sends a Heartbeat.
	HeartbeatInterval *durationpb.Duration `protobuf:"bytes,3,opt,name=heartbeat_interval,json=heartbeatInterval,proto3" json:"heartbeat_interval,omitempty"`
	// After how long without a message the other side counts as gone.
	SessionTimeout *durationpb.Duration `protobuf:"bytes,4,opt,name=session_timeout,json=sessionTimeout,proto3" json:"session_timeout,omitempty"`
	// How long the server reserves the worker's attempts after its stream has ended.
	ReconnectGrace *durationpb.Duration `protobuf:"bytes,5,opt,name=reconnect_grace,json=reconnectGrace,proto3" json:"reconnect_grace,omitempty"`
	// The named limits that a worker must observe: `payload_bytes`, `frame_bytes`, `journal_entries`,
	// `journal_bytes`.
	Limits        map[string]int64 `protobuf:"bytes,6,rep,name=limits,proto3" json:"limits,omitempty" protobuf_key:"bytes,1,opt,name=key" protobuf_val:"varint,2,opt,name=value"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Welcome) Reset() {
	*x = Welcome{}
	mi := &file_durable_v1_worker_proto_msgTypes[6]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Welcome) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Welcome) ProtoMessage() {}

func (x *Welcome) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[6]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Welcome.ProtoReflect.Descriptor instead.
func (*Welcome) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{6}
}

func (x *Welcome) GetProtocolVersion() int32 {
	if x != nil {
		return x.ProtocolVersion
	}
	return 0
}

func (x *Welcome) GetEpoch() int64 {
	if x != nil {
		return x.Epoch
	}
	return 0
}

func (x *Welcome) GetHeartbeatInterval() *durationpb.Duration {
	if x != nil {
		return x.HeartbeatInterval
	}
	return nil
}

func (x *Welcome) GetSessionTimeout() *durationpb.Duration {
	if x != nil {
		return x.SessionTimeout
	}
	return nil
}

func (x *Welcome) GetReconnectGrace() *durationpb.Duration {
	if x != nil {
		return x.ReconnectGrace
	}
	return nil
}

func (x *Welcome) GetLimits() map[string]int64 {
	if x != nil {
		return x.Limits
	}
	return nil
}

// Shows that the sender is alive.
type Heartbeat struct {
	state         protoimpl.MessageState `protogen:"open.v1"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Heartbeat) Reset() {
	*x = Heartbeat{}
	mi := &file_durable_v1_worker_proto_msgTypes[7]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Heartbeat) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Heartbeat) ProtoMessage() {}

func (x *Heartbeat) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[7]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Heartbeat.ProtoReflect.Descriptor instead.
func (*Heartbeat) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{7}
}

// The worker takes no new work.
type Draining struct {
	state         protoimpl.MessageState `protogen:"open.v1"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Draining) Reset() {
	*x = Draining{}
	mi := &file_durable_v1_worker_proto_msgTypes[8]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Draining) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Draining) ProtoMessage() {}

func (x *Draining) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[8]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Draining.ProtoReflect.Descriptor instead.
func (*Draining) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{8}
}

// Requests that the worker opens another session.
type Drain struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// How long to wait before reconnecting.
	Delay *durationpb.Duration `protobuf:"bytes,1,opt,name=delay,proto3" json:"delay,omitempty"`
	// Whether to open it at another address, if the worker has several.
	Elsewhere     bool `protobuf:"varint,2,opt,name=elsewhere,proto3" json:"elsewhere,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Drain) Reset() {
	*x = Drain{}
	mi := &file_durable_v1_worker_proto_msgTypes[9]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Drain) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Drain) ProtoMessage() {}

func (x *Drain) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[9]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Drain.ProtoReflect.Descriptor instead.
func (*Drain) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{9}
}

func (x *Drain) GetDelay() *durationpb.Duration {
	if x != nil {
		return x.Delay
	}
	return nil
}

func (x *Drain) GetElsewhere() bool {
	if x != nil {
		return x.Elsewhere
	}
	return false
}

// Dispatches an attempt to the worker.
type Start struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The handler to run.
	Handler string `protobuf:"bytes,1,opt,name=handler,proto3" json:"handler,omitempty"`
	// Its input; absent if the handler is to be called without arguments.
	Input *Payload `protobuf:"bytes,2,opt,name=input,proto3" json:"input,omitempty"`
	// The object key for keyed handlers.
	Key string `protobuf:"bytes,3,opt,name=key,proto3" json:"key,omitempty"`
	// The caller's headers.
	Headers map[string]string `protobuf:"bytes,4,rep,name=headers,proto3" json:"headers,omitempty" protobuf_key:"bytes,1,opt,name=key" protobuf_val:"bytes,2,opt,name=value"`
	// The journal so far, in program order; empty on a first attempt.
	Journal []*JournalEntry `protobuf:"bytes,5,rep,name=journal,proto3" json:"journal,omitempty"`
	// When the first attempt began: the same in every attempt.
	StartTime *timestamppb.Timestamp `protobuf:"bytes,6,opt,name=start_time,json=startTime,proto3" json:"start_time,omitempty"`
	// The seed of the program's random numbers.
	RandomSeed uint64 `protobuf:"fixed64,7,opt,name=random_seed,json=randomSeed,proto3" json:"random_seed,omitempty"`
	// The caller's service label.
	Service string `protobuf:"bytes,8,opt,name=service,proto3" json:"service,omitempty"`
	// The caller's partition key.
	PartitionKey string `protobuf:"bytes,9,opt,name=partition_key,json=partitionKey,proto3" json:"partition_key,omitempty"`
	// The failure of the attempt before, for the program to see.
	LastFailure *Failure `protobuf:"bytes,10,opt,name=last_failure,json=lastFailure,proto3" json:"last_failure,omitempty"`
	// The version of the handler that recorded the journal; empty on a first attempt without a journal.
	Version string `protobuf:"bytes,11,opt,name=version,proto3" json:"version,omitempty"`
	// Set if a cancellation was requested before this attempt.
	CancelRequested *CancelRequested `protobuf:"bytes,12,opt,name=cancel_requested,json=cancelRequested,proto3" json:"cancel_requested,omitempty"`
	// The current state by name: the invocation's own, or the object key's.
	State map[string]*Payload `protobuf:"bytes,13,rep,name=state,proto3" json:"state,omitempty" protobuf_key:"bytes,1,opt,name=key" protobuf_val:"bytes,2,opt,name=value"`
	// True if `state` is the whole state.
	StateComplete bool `protobuf:"varint,14,opt,name=state_complete,json=stateComplete,proto3" json:"state_complete,omitempty"`
	// How often each step that is not in the journal has failed, by index.
	StepFailures map[int32]int32 `protobuf:"bytes,15,rep,name=step_failures,json=stepFailures,proto3" json:"step_failures,omitempty" protobuf_key:"varint,1,opt,name=key" protobuf_val:"varint,2,opt,name=value"`
	// How long before the dispatch of this attempt the first of those failures was, by index.
	StepFailing map[int32]*durationpb.Duration `protobuf:"bytes,16,rep,name=step_failing,json=stepFailing,proto3" json:"step_failing,omitempty" protobuf_key:"varint,1,opt,name=key" protobuf_val:"bytes,2,opt,name=value"`
	// The index of the program's first operation: 0, or what the runs before have left; see section 13.
	FirstIndex int32 `protobuf:"varint,17,opt,name=first_index,json=firstIndex,proto3" json:"first_index,omitempty"`
	// The number of completions before this run's first one, which has the next number.
	CompletionsBefore int64 `protobuf:"varint,18,opt,name=completions_before,json=completionsBefore,proto3" json:"completions_before,omitempty"`
	// The number of the run, from 1.
	Run           int32 `protobuf:"varint,19,opt,name=run,proto3" json:"run,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Start) Reset() {
	*x = Start{}
	mi := &file_durable_v1_worker_proto_msgTypes[10]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Start) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Start) ProtoMessage() {}

func (x *Start) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[10]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Start.ProtoReflect.Descriptor instead.
func (*Start) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{10}
}

func (x *Start) GetHandler() string {
	if x != nil {
		return x.Handler
	}
	return ""
}

func (x *Start) GetInput() *Payload {
	if x != nil {
		return x.Input
	}
	return nil
}

func (x *Start) GetKey() string {
	if x != nil {
		return x.Key
	}
	return ""
}

func (x *Start) GetHeaders() map[string]string {
	if x != nil {
		return x.Headers
	}
	return nil
}

func (x *Start) GetJournal() []*JournalEntry {
	if x != nil {
		return x.Journal
	}
	return nil
}

func (x *Start) GetStartTime() *timestamppb.Timestamp {
	if x != nil {
		return x.StartTime
	}
	return nil
}

func (x *Start) GetRandomSeed() uint64 {
	if x != nil {
		return x.RandomSeed
	}
	return 0
}

func (x *Start) GetService() string {
	if x != nil {
		return x.Service
	}
	return ""
}

func (x *Start) GetPartitionKey() string {
	if x != nil {
		return x.PartitionKey
	}
	return ""
}

func (x *Start) GetLastFailure() *Failure {
	if x != nil {
		return x.LastFailure
	}
	return nil
}

func (x *Start) GetVersion() string {
	if x != nil {
		return x.Version
	}
	return ""
}

func (x *Start) GetCancelRequested() *CancelRequested {
	if x != nil {
		return x.CancelRequested
	}
	return nil
}

func (x *Start) GetState() map[string]*Payload {
	if x != nil {
		return x.State
	}
	return nil
}

func (x *Start) GetStateComplete() bool {
	if x != nil {
		return x.StateComplete
	}
	return false
}

func (x *Start) GetStepFailures() map[int32]int32 {
	if x != nil {
		return x.StepFailures
	}
	return nil
}

func (x *Start) GetStepFailing() map[int32]*durationpb.Duration {
	if x != nil {
		return x.StepFailing
	}
	return nil
}

func (x *Start) GetFirstIndex() int32 {
	if x != nil {
		return x.FirstIndex
	}
	return 0
}

func (x *Start) GetCompletionsBefore() int64 {
	if x != nil {
		return x.CompletionsBefore
	}
	return 0
}

func (x *Start) GetRun() int32 {
	if x != nil {
		return x.Run
	}
	return 0
}

// Records a journal entry.
type EntryRecorded struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The index in program order, from 0.
	Index int32 `protobuf:"varint,1,opt,name=index,proto3" json:"index,omitempty"`
	// The kind.
	Kind EntryKind `protobuf:"varint,2,opt,name=kind,proto3,enum=durable.v1.EntryKind" json:"kind,omitempty"`
	// Its name; see JournalEntry.name. At most 256 bytes.
	Name string `protobuf:"bytes,3,opt,name=name,proto3" json:"name,omitempty"`
	// The argument, by kind: SET_STATE the value, INVOKE and SEND the input, RESOLVE the value.
	Argument *Payload `protobuf:"bytes,4,opt,name=argument,proto3" json:"argument,omitempty"`
	// RUN and CALL: the outcome of the work. GET_STATE and STATE_KEYS: the value, if the worker has
	// it. RESOLVE: a failure, to reject the awakeable.
	Outcome *Outcome `protobuf:"bytes,5,opt,name=outcome,proto3" json:"outcome,omitempty"`
	// SLEEP: the time from the commit; INVOKE, SEND: by how much the start is delayed.
	Delay *durationpb.Duration `protobuf:"bytes,6,opt,name=delay,proto3" json:"delay,omitempty"`
	// INVOKE, SEND: the object key. CANCEL, ATTACH, and RESOLVE for a signal: the target's id.
	Target string `protobuf:"bytes,7,opt,name=target,proto3" json:"target,omitempty"`
	// INVOKE, SEND: the idempotency key.
	IdempotencyKey string `protobuf:"bytes,8,opt,name=idempotency_key,json=idempotencyKey,proto3" json:"idempotency_key,omitempty"`
	// INVOKE, SEND: the partition key.
	PartitionKey string `protobuf:"bytes,9,opt,name=partition_key,json=partitionKey,proto3" json:"partition_key,omitempty"`
	// RUN and CALL: how long the work took in the attempt that ended it, by the worker's monotonic
	// clock. The entry's `create_time` is that much before its commit, but not before the invocation's
	// own; the program's clock does not depend on it. Absent or negative means unknown, like 0.
	Elapsed *durationpb.Duration `protobuf:"bytes,10,opt,name=elapsed,proto3" json:"elapsed,omitempty"`
	// AWAKEABLE, SIGNAL: JSON Schema of the value that the program can read; empty for any value. At
	// most 64 KiB. A value that is not JSON fits where a string fits, because the program may want its
	// bytes; protobuf messages are not checked.
	Schema string `protobuf:"bytes,11,opt,name=schema,proto3" json:"schema,omitempty"`
	// AWAKEABLE: forget the outcome that the id already has, and wait for another one.
	Renew         bool `protobuf:"varint,12,opt,name=renew,proto3" json:"renew,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *EntryRecorded) Reset() {
	*x = EntryRecorded{}
	mi := &file_durable_v1_worker_proto_msgTypes[11]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *EntryRecorded) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*EntryRecorded) ProtoMessage() {}

func (x *EntryRecorded) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[11]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use EntryRecorded.ProtoReflect.Descriptor instead.
func (*EntryRecorded) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{11}
}

func (x *EntryRecorded) GetIndex() int32 {
	if x != nil {
		return x.Index
	}
	return 0
}

func (x *EntryRecorded) GetKind() EntryKind {
	if x != nil {
		return x.Kind
	}
	return EntryKind_ENTRY_KIND_UNSPECIFIED
}

func (x *EntryRecorded) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *EntryRecorded) GetArgument() *Payload {
	if x != nil {
		return x.Argument
	}
	return nil
}

func (x *EntryRecorded) GetOutcome() *Outcome {
	if x != nil {
		return x.Outcome
	}
	return nil
}

func (x *EntryRecorded) GetDelay() *durationpb.Duration {
	if x != nil {
		return x.Delay
	}
	return nil
}

func (x *EntryRecorded) GetTarget() string {
	if x != nil {
		return x.Target
	}
	return ""
}

func (x *EntryRecorded) GetIdempotencyKey() string {
	if x != nil {
		return x.IdempotencyKey
	}
	return ""
}

func (x *EntryRecorded) GetPartitionKey() string {
	if x != nil {
		return x.PartitionKey
	}
	return ""
}

func (x *EntryRecorded) GetElapsed() *durationpb.Duration {
	if x != nil {
		return x.Elapsed
	}
	return nil
}

func (x *EntryRecorded) GetSchema() string {
	if x != nil {
		return x.Schema
	}
	return ""
}

func (x *EntryRecorded) GetRenew() bool {
	if x != nil {
		return x.Renew
	}
	return false
}

// An entry is in the log.
type Ack struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The entry.
	Index int32 `protobuf:"varint,1,opt,name=index,proto3" json:"index,omitempty"`
	// The number of its completion if the entry had an outcome, else 0.
	CompletionNumber int64 `protobuf:"varint,2,opt,name=completion_number,json=completionNumber,proto3" json:"completion_number,omitempty"`
	// The commit time.
	Time          *timestamppb.Timestamp `protobuf:"bytes,3,opt,name=time,proto3" json:"time,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Ack) Reset() {
	*x = Ack{}
	mi := &file_durable_v1_worker_proto_msgTypes[12]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Ack) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Ack) ProtoMessage() {}

func (x *Ack) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[12]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Ack.ProtoReflect.Descriptor instead.
func (*Ack) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{12}
}

func (x *Ack) GetIndex() int32 {
	if x != nil {
		return x.Index
	}
	return 0
}

func (x *Ack) GetCompletionNumber() int64 {
	if x != nil {
		return x.CompletionNumber
	}
	return 0
}

func (x *Ack) GetTime() *timestamppb.Timestamp {
	if x != nil {
		return x.Time
	}
	return nil
}

// An operation has completed.
type Completion struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The entry.
	Index int32 `protobuf:"varint,1,opt,name=index,proto3" json:"index,omitempty"`
	// Its outcome.
	Outcome *Outcome `protobuf:"bytes,2,opt,name=outcome,proto3" json:"outcome,omitempty"`
	// The number of this completion.
	CompletionNumber int64 `protobuf:"varint,3,opt,name=completion_number,json=completionNumber,proto3" json:"completion_number,omitempty"`
	// The commit time.
	Time          *timestamppb.Timestamp `protobuf:"bytes,4,opt,name=time,proto3" json:"time,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Completion) Reset() {
	*x = Completion{}
	mi := &file_durable_v1_worker_proto_msgTypes[13]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Completion) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Completion) ProtoMessage() {}

func (x *Completion) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[13]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Completion.ProtoReflect.Descriptor instead.
func (*Completion) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{13}
}

func (x *Completion) GetIndex() int32 {
	if x != nil {
		return x.Index
	}
	return 0
}

func (x *Completion) GetOutcome() *Outcome {
	if x != nil {
		return x.Outcome
	}
	return nil
}

func (x *Completion) GetCompletionNumber() int64 {
	if x != nil {
		return x.CompletionNumber
	}
	return 0
}

func (x *Completion) GetTime() *timestamppb.Timestamp {
	if x != nil {
		return x.Time
	}
	return nil
}

// The handler has returned or failed for good.
type Finished struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Its value, or the terminal failure that it raised.
	Outcome       *Outcome `protobuf:"bytes,1,opt,name=outcome,proto3" json:"outcome,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Finished) Reset() {
	*x = Finished{}
	mi := &file_durable_v1_worker_proto_msgTypes[14]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Finished) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Finished) ProtoMessage() {}

func (x *Finished) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[14]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Finished.ProtoReflect.Descriptor instead.
func (*Finished) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{14}
}

func (x *Finished) GetOutcome() *Outcome {
	if x != nil {
		return x.Outcome
	}
	return nil
}

// The attempt has failed and may be retried.
type AttemptFailed struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Why.
	Failure *Failure `protobuf:"bytes,1,opt,name=failure,proto3" json:"failure,omitempty"`
	// If set, the delay before the next attempt, instead of the retry policy's.
	RetryDelay *durationpb.Duration `protobuf:"bytes,2,opt,name=retry_delay,json=retryDelay,proto3" json:"retry_delay,omitempty"`
	// The step that failed, if a step failed; `retry_delay` is then required.
	Index *int32 `protobuf:"varint,3,opt,name=index,proto3,oneof" json:"index,omitempty"`
	// The kind of that step: RUN or CALL.
	Kind EntryKind `protobuf:"varint,4,opt,name=kind,proto3,enum=durable.v1.EntryKind" json:"kind,omitempty"`
	// The name of that step; see JournalEntry.name. At most 256 bytes.
	Name string `protobuf:"bytes,5,opt,name=name,proto3" json:"name,omitempty"`
	// Other steps that have failed in the same attempt, each once, and that are to be retried too. Their
	// tries count like that of the first one, and the next attempt runs all of them, so `retry_delay` is
	// the longest of their delays.
	OtherSteps    []*FailedStep `protobuf:"bytes,6,rep,name=other_steps,json=otherSteps,proto3" json:"other_steps,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *AttemptFailed) Reset() {
	*x = AttemptFailed{}
	mi := &file_durable_v1_worker_proto_msgTypes[15]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *AttemptFailed) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*AttemptFailed) ProtoMessage() {}

func (x *AttemptFailed) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[15]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use AttemptFailed.ProtoReflect.Descriptor instead.
func (*AttemptFailed) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{15}
}

func (x *AttemptFailed) GetFailure() *Failure {
	if x != nil {
		return x.Failure
	}
	return nil
}

func (x *AttemptFailed) GetRetryDelay() *durationpb.Duration {
	if x != nil {
		return x.RetryDelay
	}
	return nil
}

func (x *AttemptFailed) GetIndex() int32 {
	if x != nil && x.Index != nil {
		return *x.Index
	}
	return 0
}

func (x *AttemptFailed) GetKind() EntryKind {
	if x != nil {
		return x.Kind
	}
	return EntryKind_ENTRY_KIND_UNSPECIFIED
}

func (x *AttemptFailed) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *AttemptFailed) GetOtherSteps() []*FailedStep {
	if x != nil {
		return x.OtherSteps
	}
	return nil
}

// A step that has failed beside the one that an AttemptFailed names.
type FailedStep struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The index of its entry.
	Index int32 `protobuf:"varint,1,opt,name=index,proto3" json:"index,omitempty"`
	// Its kind: RUN or CALL.
	Kind EntryKind `protobuf:"varint,2,opt,name=kind,proto3,enum=durable.v1.EntryKind" json:"kind,omitempty"`
	// Its name; see JournalEntry.name. At most 256 bytes.
	Name string `protobuf:"bytes,3,opt,name=name,proto3" json:"name,omitempty"`
	// Why it failed. The control plane keeps the type and the beginning of the message.
	Failure       *Failure `protobuf:"bytes,4,opt,name=failure,proto3" json:"failure,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *FailedStep) Reset() {
	*x = FailedStep{}
	mi := &file_durable_v1_worker_proto_msgTypes[16]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *FailedStep) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*FailedStep) ProtoMessage() {}

func (x *FailedStep) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[16]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use FailedStep.ProtoReflect.Descriptor instead.
func (*FailedStep) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{16}
}

func (x *FailedStep) GetIndex() int32 {
	if x != nil {
		return x.Index
	}
	return 0
}

func (x *FailedStep) GetKind() EntryKind {
	if x != nil {
		return x.Kind
	}
	return EntryKind_ENTRY_KIND_UNSPECIFIED
}

func (x *FailedStep) GetName() string {
	if x != nil {
		return x.Name
	}
	return ""
}

func (x *FailedStep) GetFailure() *Failure {
	if x != nil {
		return x.Failure
	}
	return nil
}

// The invocation cannot go on until a person resumes it.
type Held struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Why; for a journal that does not fit the program, a `durable.DeterminismError`.
	Failure       *Failure `protobuf:"bytes,1,opt,name=failure,proto3" json:"failure,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Held) Reset() {
	*x = Held{}
	mi := &file_durable_v1_worker_proto_msgTypes[17]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Held) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Held) ProtoMessage() {}

func (x *Held) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[17]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Held.ProtoReflect.Descriptor instead.
func (*Held) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{17}
}

func (x *Held) GetFailure() *Failure {
	if x != nil {
		return x.Failure
	}
	return nil
}

// The attempt has stopped, in answer to PauseRequested.
type Paused struct {
	state         protoimpl.MessageState `protogen:"open.v1"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Paused) Reset() {
	*x = Paused{}
	mi := &file_durable_v1_worker_proto_msgTypes[18]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Paused) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Paused) ProtoMessage() {}

func (x *Paused) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[18]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Paused.ProtoReflect.Descriptor instead.
func (*Paused) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{18}
}

// The program continues as new: the run ends, and another one begins.
type Continued struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The input of the next run; absent if the handler is to be called without arguments.
	Input *Payload `protobuf:"bytes,1,opt,name=input,proto3" json:"input,omitempty"`
	// The number of the last completion that the program has got, as in Suspend.
	CompletionNumber int64 `protobuf:"varint,2,opt,name=completion_number,json=completionNumber,proto3" json:"completion_number,omitempty"`
	// The index that the program's next operation would have had.
	NextIndex     int32 `protobuf:"varint,3,opt,name=next_index,json=nextIndex,proto3" json:"next_index,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Continued) Reset() {
	*x = Continued{}
	mi := &file_durable_v1_worker_proto_msgTypes[19]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Continued) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Continued) ProtoMessage() {}

func (x *Continued) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[19]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Continued.ProtoReflect.Descriptor instead.
func (*Continued) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{19}
}

func (x *Continued) GetInput() *Payload {
	if x != nil {
		return x.Input
	}
	return nil
}

func (x *Continued) GetCompletionNumber() int64 {
	if x != nil {
		return x.CompletionNumber
	}
	return 0
}

func (x *Continued) GetNextIndex() int32 {
	if x != nil {
		return x.NextIndex
	}
	return 0
}

// Requests that an attempt stops at its next journal boundary.
type PauseRequested struct {
	state         protoimpl.MessageState `protogen:"open.v1"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *PauseRequested) Reset() {
	*x = PauseRequested{}
	mi := &file_durable_v1_worker_proto_msgTypes[20]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *PauseRequested) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*PauseRequested) ProtoMessage() {}

func (x *PauseRequested) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[20]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use PauseRequested.ProtoReflect.Descriptor instead.
func (*PauseRequested) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{20}
}

// The program of the attempt only waits for completions.
type Suspend struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The number of the last completion that was delivered; 0 if there was none.
	CompletionNumber int64 `protobuf:"varint,1,opt,name=completion_number,json=completionNumber,proto3" json:"completion_number,omitempty"`
	unknownFields    protoimpl.UnknownFields
	sizeCache        protoimpl.SizeCache
}

func (x *Suspend) Reset() {
	*x = Suspend{}
	mi := &file_durable_v1_worker_proto_msgTypes[21]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Suspend) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Suspend) ProtoMessage() {}

func (x *Suspend) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[21]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Suspend.ProtoReflect.Descriptor instead.
func (*Suspend) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{21}
}

func (x *Suspend) GetCompletionNumber() int64 {
	if x != nil {
		return x.CompletionNumber
	}
	return 0
}

// The worker gives the attempt back; this does not count as a failure.
type Released struct {
	state         protoimpl.MessageState `protogen:"open.v1"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Released) Reset() {
	*x = Released{}
	mi := &file_durable_v1_worker_proto_msgTypes[22]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Released) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Released) ProtoMessage() {}

func (x *Released) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[22]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Released.ProtoReflect.Descriptor instead.
func (*Released) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{22}
}

// The attempt is suspended, and the worker no longer owns it.
type Suspended struct {
	state         protoimpl.MessageState `protogen:"open.v1"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Suspended) Reset() {
	*x = Suspended{}
	mi := &file_durable_v1_worker_proto_msgTypes[23]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Suspended) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Suspended) ProtoMessage() {}

func (x *Suspended) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[23]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Suspended.ProtoReflect.Descriptor instead.
func (*Suspended) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{23}
}

// The worker no longer owns the attempt.
type Abandon struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// Why, for the worker's log.
	Reason        string `protobuf:"bytes,1,opt,name=reason,proto3" json:"reason,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *Abandon) Reset() {
	*x = Abandon{}
	mi := &file_durable_v1_worker_proto_msgTypes[24]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *Abandon) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*Abandon) ProtoMessage() {}

func (x *Abandon) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[24]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use Abandon.ProtoReflect.Descriptor instead.
func (*Abandon) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{24}
}

func (x *Abandon) GetReason() string {
	if x != nil {
		return x.Reason
	}
	return ""
}

// The cancellation of the invocation was requested.
type CancelRequested struct {
	state protoimpl.MessageState `protogen:"open.v1"`
	// The reason that the caller gave.
	Reason string `protobuf:"bytes,1,opt,name=reason,proto3" json:"reason,omitempty"`
	// The number of this event among the invocation's completions, which sets when it is delivered.
	CompletionNumber int64 `protobuf:"varint,2,opt,name=completion_number,json=completionNumber,proto3" json:"completion_number,omitempty"`
	// The commit time.
	Time          *timestamppb.Timestamp `protobuf:"bytes,3,opt,name=time,proto3" json:"time,omitempty"`
	unknownFields protoimpl.UnknownFields
	sizeCache     protoimpl.SizeCache
}

func (x *CancelRequested) Reset() {
	*x = CancelRequested{}
	mi := &file_durable_v1_worker_proto_msgTypes[25]
	ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
	ms.StoreMessageInfo(mi)
}

func (x *CancelRequested) String() string {
	return protoimpl.X.MessageStringOf(x)
}

func (*CancelRequested) ProtoMessage() {}

func (x *CancelRequested) ProtoReflect() protoreflect.Message {
	mi := &file_durable_v1_worker_proto_msgTypes[25]
	if x != nil {
		ms := protoimpl.X.MessageStateOf(protoimpl.Pointer(x))
		if ms.LoadMessageInfo() == nil {
			ms.StoreMessageInfo(mi)
		}
		return ms
	}
	return mi.MessageOf(x)
}

// Deprecated: Use CancelRequested.ProtoReflect.Descriptor instead.
func (*CancelRequested) Descriptor() ([]byte, []int) {
	return file_durable_v1_worker_proto_rawDescGZIP(), []int{25}
}

func (x *CancelRequested) GetReason() string {
	if x != nil {
		return x.Reason
	}
	return ""
}

func (x *CancelRequested) GetCompletionNumber() int64 {
	if x != nil {
		return x.CompletionNumber
	}
	return 0
}

func (x *CancelRequested) GetTime() *timestamppb.Timestamp {
	if x != nil {
		return x.Time
	}
	return nil
}

var File_durable_v1_worker_proto protoreflect.FileDescriptor

const file_durable_v1_worker_proto_rawDesc = "" +
	"\n" +
	"\x17durable/v1/worker.proto\x12\n" +
	"durable.v1\x1a\x1bdurable/v1/invocation.proto\x1a\x18durable/v1/payload.proto\x1a\x1egoogle/protobuf/duration.proto\x1a\x1fgoogle/protobuf/timestamp.proto\"G\n" +
	"\x0eSessionRequest\x125\n" +
	"\bmessages\x18\x01 \x03(\v2\x19.durable.v1.WorkerMessageR\bmessages\"H\n" +
	"\x0fSessionResponse\x125\n" +
	"\bmessages\x18\x01 \x03(\v2\x19.durable.v1.ServerMessageR\bmessages\"\x8c\x05\n" +
	"\rWorkerMessage\x12#\n" +
	"\rinvocation_id\x18\x01 \x01(\tR\finvocationId\x12\x18\n" +
	"\aattempt\x18\x02 \x01(\x05R\aattempt\x121\n" +
	"\x05entry\x18\x03 \x01(\v2\x19.durable.v1.EntryRecordedH\x00R\x05entry\x122\n" +
	"\bfinished\x18\x04 \x01(\v2\x14.durable.v1.FinishedH\x00R\bfinished\x12B\n" +
	"\x0eattempt_failed\x18\x05 \x01(\v2\x19.durable.v1.AttemptFailedH\x00R\rattemptFailed\x12&\n" +
	"\x04held\x18\x06 \x01(\v2\x10.durable.v1.HeldH\x00R\x04held\x12/\n" +
	"\asuspend\x18\a \x01(\v2\x13.durable.v1.SuspendH\x00R\asuspend\x122\n" +
	"\breleased\x18\b \x01(\v2\x14.durable.v1.ReleasedH\x00R\breleased\x12)\n" +
	"\x05hello\x18\t \x01(\v2\x11.durable.v1.HelloH\x00R\x05hello\x125\n" +
	"\theartbeat\x18\n" +
	" \x01(\v2\x15.durable.v1.HeartbeatH\x00R\theartbeat\x122\n" +
	"\bdraining\x18\v \x01(\v2\x14.durable.v1.DrainingH\x00R\bdraining\x12,\n" +
	"\x06paused\x18\f \x01(\v2\x12.durable.v1.PausedH\x00R\x06paused\x125\n" +
	"\tcontinued\x18\r \x01(\v2\x15.durable.v1.ContinuedH\x00R\tcontinuedB\t\n" +
	"\amessage\"\xef\x04\n" +
	"\rServerMessage\x12#\n" +
	"\rinvocation_id\x18\x01 \x01(\tR\finvocationId\x12\x18\n" +
	"\aattempt\x18\x02 \x01(\x05R\aattempt\x12)\n" +
	"\x05start\x18\x03 \x01(\v2\x11.durable.v1.StartH\x00R\x05start\x12#\n" +
	"\x03ack\x18\x04 \x01(\v2\x0f.durable.v1.AckH\x00R\x03ack\x128\n" +
	"\n" +
	"completion\x18\x05 \x01(\v2\x16.durable.v1.CompletionH\x00R\n" +
	"completion\x125\n" +
	"\tsuspended\x18\x06 \x01(\v2\x15.durable.v1.SuspendedH\x00R\tsuspended\x12/\n" +
	"\aabandon\x18\a \x01(\v2\x13.durable.v1.AbandonH\x00R\aabandon\x12H\n" +
	"\x10cancel_requested\x18\b \x01(\v2\x1b.durable.v1.CancelRequestedH\x00R\x0fcancelRequested\x12/\n" +
	"\awelcome\x18\t \x01(\v2\x13.durable.v1.WelcomeH\x00R\awelcome\x125\n" +
	"\theartbeat\x18\n" +
	" \x01(\v2\x15.durable.v1.HeartbeatH\x00R\theartbeat\x12)\n" +
	"\x05drain\x18\v \x01(\v2\x11.durable.v1.DrainH\x00R\x05drain\x12E\n" +
	"\x0fpause_requested\x18\f \x01(\v2\x1a.durable.v1.PauseRequestedH\x00R\x0epauseRequestedB\t\n" +
	"\amessage\"\xd9\x02\n" +
	"\x05Hello\x12)\n" +
	"\x10protocol_version\x18\x01 \x01(\x05R\x0fprotocolVersion\x12\x1b\n" +
	"\tworker_id\x18\x02 \x01(\tR\bworkerId\x12\x1a\n" +
	"\bidentity\x18\x03 \x01(\tR\bidentity\x12\x19\n" +
	"\bbuild_id\x18\x04 \x01(\tR\abuildId\x123\n" +
	"\bhandlers\x18\x05 \x03(\v2\x17.durable.v1.HandlerSpecR\bhandlers\x12\x1d\n" +
	"\n" +
	"slot_count\x18\x06 \x01(\x05R\tslotCount\x12\"\n" +
	"\fcapabilities\x18\a \x03(\tR\fcapabilities\x122\n" +
	"\aresumed\x18\b \x03(\v2\x18.durable.v1.OwnedAttemptR\aresumed\x12%\n" +
	"\x0esession_number\x18\t \x01(\x03R\rsessionNumber\"M\n" +
	"\fOwnedAttempt\x12#\n" +
	"\rinvocation_id\x18\x01 \x01(\tR\finvocationId\x12\x18\n" +
	"\aattempt\x18\x02 \x01(\x05R\aattempt\"\x90\x03\n" +
	"\aWelcome\x12)\n" +
	"\x10protocol_version\x18\x01 \x01(\x05R\x0fprotocolVersion\x12\x14\n" +
	"\x05epoch\x18\x02 \x01(\x03R\x05epoch\x12H\n" +
	"\x12heartbeat_interval\x18\x03 \x01(\v2\x19.google.protobuf.DurationR\x11heartbeatInterval\x12B\n" +
	"\x0fsession_timeout\x18\x04 \x01(\v2\x19.google.protobuf.DurationR\x0esessionTimeout\x12B\n" +
	"\x0freconnect_grace\x18\x05 \x01(\v2\x19.google.protobuf.DurationR\x0ereconnectGrace\x127\n" +
	"\x06limits\x18\x06 \x03(\v2\x1f.durable.v1.Welcome.LimitsEntryR\x06limits\x1a9\n" +
	"\vLimitsEntry\x12\x10\n" +
	"\x03key\x18\x01 \x01(\tR\x03key\x12\x14\n" +
	"\x05value\x18\x02 \x01(\x03R\x05value:\x028\x01\"\v\n" +
	"\tHeartbeat\"\n" +
	"\n" +
	"\bDraining\"V\n" +
	"\x05Drain\x12/\n" +
	"\x05delay\x18\x01 \x01(\v2\x19.google.protobuf.DurationR\x05delay\x12\x1c\n" +
	"\telsewhere\x18\x02 \x01(\bR\telsewhere\"\xf6\b\n" +
	"\x05Start\x12\x18\n" +
	"\ahandler\x18\x01 \x01(\tR\ahandler\x12)\n" +
	"\x05input\x18\x02 \x01(\v2\x13.durable.v1.PayloadR\x05input\x12\x10\n" +
	"\x03key\x18\x03 \x01(\tR\x03key\x128\n" +
	"\aheaders\x18\x04 \x03(\v2\x1e.durable.v1.Start.HeadersEntryR\aheaders\x122\n" +
	"\ajournal\x18\x05 \x03(\v2\x18.durable.v1.JournalEntryR\ajournal\x129\n" +
	"\n" +
	"start_time\x18\x06 \x01(\v2\x1a.google.protobuf.TimestampR\tstartTime\x12\x1f\n" +
	"\vrandom_seed\x18\a \x01(\x06R\n" +
	"randomSeed\x12\x18\n" +
	"\aservice\x18\b \x01(\tR\aservice\x12#\n" +
	"\rpartition_key\x18\t \x01(\tR\fpartitionKey\x126\n" +
	"\flast_failure\x18\n" +
	" \x01(\v2\x13.durable.v1.FailureR\vlastFailure\x12\x18\n" +
	"\aversion\x18\v \x01(\tR\aversion\x12F\n" +
	"\x10cancel_requested\x18\f \x01(\v2\x1b.durable.v1.CancelRequestedR\x0fcancelRequested\x122\n" +
	"\x05state\x18\r \x03(\v2\x1c.durable.v1.Start.StateEntryR\x05state\x12%\n" +
	"\x0estate_complete\x18\x0e \x01(\bR\rstateComplete\x12H\n" +
	"\rstep_failures\x18\x0f \x03(\v2#.durable.v1.Start.StepFailuresEntryR\fstepFailures\x12E\n" +
	"\fstep_failing\x18\x10 \x03(\v2\".durable.v1.Start.StepFailingEntryR\vstepFailing\x12\x1f\n" +
	"\vfirst_index\x18\x11 \x01(\x05R\n" +
	"firstIndex\x12-\n" +
	"\x12completions_before\x18\x12 \x01(\x03R\x11completionsBefore\x12\x10\n" +
	"\x03run\x18\x13 \x01(\x05R\x03run\x1a:\n" +
	"\fHeadersEntry\x12\x10\n" +
	"\x03key\x18\x01 \x01(\tR\x03key\x12\x14\n" +
	"\x05value\x18\x02 \x01(\tR\x05value:\x028\x01\x1aM\n" +
	"\n" +
	"StateEntry\x12\x10\n" +
	"\x03key\x18\x01 \x01(\tR\x03key\x12)\n" +
	"\x05value\x18\x02 \x01(\v2\x13.durable.v1.PayloadR\x05value:\x028\x01\x1a?\n" +
	"\x11StepFailuresEntry\x12\x10\n" +
	"\x03key\x18\x01 \x01(\x05R\x03key\x12\x14\n" +
	"\x05value\x18\x02 \x01(\x05R\x05value:\x028\x01\x1aY\n" +
	"\x10StepFailingEntry\x12\x10\n" +
	"\x03key\x18\x01 \x01(\x05R\x03key\x12/\n" +
	"\x05value\x18\x02 \x01(\v2\x19.google.protobuf.DurationR\x05value:\x028\x01\"\xbe\x03\n" +
	"\rEntryRecorded\x12\x14\n" +
	"\x05index\x18\x01 \x01(\x05R\x05index\x12)\n" +
	"\x04kind\x18\x02 \x01(\x0e2\x15.durable.v1.EntryKindR\x04kind\x12\x12\n" +
	"\x04name\x18\x03 \x01(\tR\x04name\x12/\n" +
	"\bargument\x18\x04 \x01(\v2\x13.durable.v1.PayloadR\bargument\x12-\n" +
	"\aoutcome\x18\x05 \x01(\v2\x13.durable.v1.OutcomeR\aoutcome\x12/\n" +
	"\x05delay\x18\x06 \x01(\v2\x19.google.protobuf.DurationR\x05delay\x12\x16\n" +
	"\x06target\x18\a \x01(\tR\x06target\x12'\n" +
	"\x0fidempotency_key\x18\b \x01(\tR\x0eidempotencyKey\x12#\n" +
	"\rpartition_key\x18\t \x01(\tR\fpartitionKey\x123\n" +
	"\aelapsed\x18\n" +
	" \x01(\v2\x19.google.protobuf.DurationR\aelapsed\x12\x16\n" +
	"\x06schema\x18\v \x01(\tR\x06schema\x12\x14\n" +
	"\x05renew\x18\f \x01(\bR\x05renew\"x\n" +
	"\x03Ack\x12\x14\n" +
	"\x05index\x18\x01 \x01(\x05R\x05index\x12+\n" +
	"\x11completion_number\x18\x02 \x01(\x03R\x10completionNumber\x12.\n" +
	"\x04time\x18\x03 \x01(\v2\x1a.google.protobuf.TimestampR\x04time\"\xae\x01\n" +
	"\n" +
	"Completion\x12\x14\n" +
	"\x05index\x18\x01 \x01(\x05R\x05index\x12-\n" +
	"\aoutcome\x18\x02 \x01(\v2\x13.durable.v1.OutcomeR\aoutcome\x12+\n" +
	"\x11completion_number\x18\x03 \x01(\x03R\x10completionNumber\x12.\n" +
	"\x04time\x18\x04 \x01(\v2\x1a.google.protobuf.TimestampR\x04time\"9\n" +
	"\bFinished\x12-\n" +
	"\aoutcome\x18\x01 \x01(\v2\x13.durable.v1.OutcomeR\aoutcome\"\x97\x02\n" +
	"\rAttemptFailed\x12-\n" +
	"\afailure\x18\x01 \x01(\v2\x13.durable.v1.FailureR\afailure\x12:\n" +
	"\vretry_delay\x18\x02 \x01(\v2\x19.google.protobuf.DurationR\n" +
	"retryDelay\x12\x19\n" +
	"\x05index\x18\x03 \x01(\x05H\x00R\x05index\x88\x01\x01\x12)\n" +
	"\x04kind\x18\x04 \x01(\x0e2\x15.durable.v1.EntryKindR\x04kind\x12\x12\n" +
	"\x04name\x18\x05 \x01(\tR\x04name\x127\n" +
	"\vother_steps\x18\x06 \x03(\v2\x16.durable.v1.FailedStepR\n" +
	"otherStepsB\b\n" +
	"\x06_index\"\x90\x01\n" +
	"\n" +
	"FailedStep\x12\x14\n" +
	"\x05index\x18\x01 \x01(\x05R\x05index\x12)\n" +
	"\x04kind\x18\x02 \x01(\x0e2\x15.durable.v1.EntryKindR\x04kind\x12\x12\n" +
	"\x04name\x18\x03 \x01(\tR\x04name\x12-\n" +
	"\afailure\x18\x04 \x01(\v2\x13.durable.v1.FailureR\afailure\"5\n" +
	"\x04Held\x12-\n" +
	"\afailure\x18\x01 \x01(\v2\x13.durable.v1.FailureR\afailure\"\b\n" +
	"\x06Paused\"\x82\x01\n" +
	"\tContinued\x12)\n" +
	"\x05input\x18\x01 \x01(\v2\x13.durable.v1.PayloadR\x05input\x12+\n" +
	"\x11completion_number\x18\x02 \x01(\x03R\x10completionNumber\x12\x1d\n" +
	"\n" +
	"next_index\x18\x03 \x01(\x05R\tnextIndex\"\x10\n" +
	"\x0ePauseRequested\"6\n" +
	"\aSuspend\x12+\n" +
	"\x11completion_number\x18\x01 \x01(\x03R\x10completionNumber\"\n" +
	"\n" +
	"\bReleased\"\v\n" +
	"\tSuspended\"!\n" +
	"\aAbandon\x12\x16\n" +
	"\x06reason\x18\x01 \x01(\tR\x06reason\"\x86\x01\n" +
	"\x0fCancelRequested\x12\x16\n" +
	"\x06reason\x18\x01 \x01(\tR\x06reason\x12+\n" +
	"\x11completion_number\x18\x02 \x01(\x03R\x10completionNumber\x12.\n" +
	"\x04time\x18\x03 \x01(\v2\x1a.google.protobuf.TimestampR\x04time2W\n" +
	"\rDurableWorker\x12F\n" +
	"\aSession\x12\x1a.durable.v1.SessionRequest\x1a\x1b.durable.v1.SessionResponse(\x010\x01BH\n" +
	"\x0edev.durable.v1B\vWorkerProtoP\x01Z'durable.dev/gen/go/durable/v1;durablev1b\x06proto3"

var (
	file_durable_v1_worker_proto_rawDescOnce sync.Once
	file_durable_v1_worker_proto_rawDescData []byte
)

func file_durable_v1_worker_proto_rawDescGZIP() []byte {
	file_durable_v1_worker_proto_rawDescOnce.Do(func() {
		file_durable_v1_worker_proto_rawDescData = protoimpl.X.CompressGZIP(unsafe.Slice(unsafe.StringData(file_durable_v1_worker_proto_rawDesc), len(file_durable_v1_worker_proto_rawDesc)))
	})
	return file_durable_v1_worker_proto_rawDescData
}

var file_durable_v1_worker_proto_msgTypes = make([]protoimpl.MessageInfo, 31)
var file_durable_v1_worker_proto_goTypes = []any{
	(*SessionRequest)(nil),        // 0: durable.v1.SessionRequest
	(*SessionResponse)(nil),       // 1: durable.v1.SessionResponse
	(*WorkerMessage)(nil),         // 2: durable.v1.WorkerMessage
	(*ServerMessage)(nil),         // 3: durable.v1.ServerMessage
	(*Hello)(nil),                 // 4: durable.v1.Hello
	(*OwnedAttempt)(nil),          // 5: durable.v1.OwnedAttempt
	(*Welcome)(nil),               // 6: durable.v1.Welcome
	(*Heartbeat)(nil),             // 7: durable.v1.Heartbeat
	(*Draining)(nil),              // 8: durable.v1.Draining
	(*Drain)(nil),                 // 9: durable.v1.Drain
	(*Start)(nil),                 // 10: durable.v1.Start
	(*EntryRecorded)(nil),         // 11: durable.v1.EntryRecorded
	(*Ack)(nil),                   // 12: durable.v1.Ack
	(*Completion)(nil),            // 13: durable.v1.Completion
	(*Finished)(nil),              // 14: durable.v1.Finished
	(*AttemptFailed)(nil),         // 15: durable.v1.AttemptFailed
	(*FailedStep)(nil),            // 16: durable.v1.FailedStep
	(*Held)(nil),                  // 17: durable.v1.Held
	(*Paused)(nil),                // 18: durable.v1.Paused
	(*Continued)(nil),             // 19: durable.v1.Continued
	(*PauseRequested)(nil),        // 20: durable.v1.PauseRequested
	(*Suspend)(nil),               // 21: durable.v1.Suspend
	(*Released)(nil),              // 22: durable.v1.Released
	(*Suspended)(nil),             // 23: durable.v1.Suspended
	(*Abandon)(nil),               // 24: durable.v1.Abandon
	(*CancelRequested)(nil),       // 25: durable.v1.CancelRequested
	nil,                           // 26: durable.v1.Welcome.LimitsEntry
	nil,                           // 27: durable.v1.Start.HeadersEntry
	nil,                           // 28: durable.v1.Start.StateEntry
	nil,                           // 29: durable.v1.Start.StepFailuresEntry
	nil,                           // 30: durable.v1.Start.StepFailingEntry
	(*HandlerSpec)(nil),           // 31: durable.v1.HandlerSpec
	(*durationpb.Duration)(nil),   // 32: google.protobuf.Duration
	(*Payload)(nil),               // 33: durable.v1.Payload
	(*JournalEntry)(nil),          // 34: durable.v1.JournalEntry
	(*timestamppb.Timestamp)(nil), // 35: google.protobuf.Timestamp
	(*Failure)(nil),               // 36: durable.v1.Failure
	(EntryKind)(0),                // 37: durable.v1.EntryKind
	(*Outcome)(nil),               // 38: durable.v1.Outcome
}
var file_durable_v1_worker_proto_depIdxs = []int32{
	2,  // 0: durable.v1.SessionRequest.messages:type_name -> durable.v1.WorkerMessage
	3,  // 1: durable.v1.SessionResponse.messages:type_name -> durable.v1.ServerMessage
	11, // 2: durable.v1.WorkerMessage.entry:type_name -> durable.v1.EntryRecorded
	14, // 3: durable.v1.WorkerMessage.finished:type_name -> durable.v1.Finished
	15, // 4: durable.v1.WorkerMessage.attempt_failed:type_name -> durable.v1.AttemptFailed
	17, // 5: durable.v1.WorkerMessage.held:type_name -> durable.v1.Held
	21, // 6: durable.v1.WorkerMessage.suspend:type_name -> durable.v1.Suspend
	22, // 7: durable.v1.WorkerMessage.released:type_name -> durable.v1.Released
	4,  // 8: durable.v1.WorkerMessage.hello:type_name -> durable.v1.Hello
	7,  // 9: durable.v1.WorkerMessage.heartbeat:type_name -> durable.v1.Heartbeat
	8,  // 10: durable.v1.WorkerMessage.draining:type_name -> durable.v1.Draining
	18, // 11: durable.v1.WorkerMessage.paused:type_name -> durable.v1.Paused
	19, // 12: durable.v1.WorkerMessage.continued:type_name -> durable.v1.Continued
	10, // 13: durable.v1.ServerMessage.start:type_name -> durable.v1.Start
	12, // 14: durable.v1.ServerMessage.ack:type_name -> durable.v1.Ack
	13, // 15: durable.v1.ServerMessage.completion:type_name -> durable.v1.Completion
	23, // 16: durable.v1.ServerMessage.suspended:type_name -> durable.v1.Suspended
	24, // 17: durable.v1.ServerMessage.abandon:type_name -> durable.v1.Abandon
	25, // 18: durable.v1.ServerMessage.cancel_requested:type_name -> durable.v1.CancelRequested
	6,  // 19: durable.v1.ServerMessage.welcome:type_name -> durable.v1.Welcome
	7,  // 20: durable.v1.ServerMessage.heartbeat:type_name -> durable.v1.Heartbeat
	9,  // 21: durable.v1.ServerMessage.drain:type_name -> durable.v1.Drain
	20, // 22: durable.v1.ServerMessage.pause_requested:type_name -> durable.v1.PauseRequested
	31, // 23: durable.v1.Hello.handlers:type_name -> durable.v1.HandlerSpec
	5,  // 24: durable.v1.Hello.resumed:type_name -> durable.v1.OwnedAttempt
	32, // 25: durable.v1.Welcome.heartbeat_interval:type_name -> google.protobuf.Duration
	32, // 26: durable.v1.Welcome.session_timeout:type_name -> google.protobuf.Duration
	32, // 27: durable.v1.Welcome.reconnect_grace:type_name -> google.protobuf.Duration
	26, // 28: durable.v1.Welcome.limits:type_name -> durable.v1.Welcome.LimitsEntry
	32, // 29: durable.v1.Drain.delay:type_name -> google.protobuf.Duration
	33, // 30: durable.v1.Start.input:type_name -> durable.v1.Payload
	27, // 31: durable.v1.Start.headers:type_name -> durable.v1.Start.HeadersEntry
	34, // 32: durable.v1.Start.journal:type_name -> durable.v1.JournalEntry
	35, // 33: durable.v1.Start.start_time:type_name -> google.protobuf.Timestamp
	36, // 34: durable.v1.Start.last_failure:type_name -> durable.v1.Failure
	25, // 35: durable.v1.Start.cancel_requested:type_name -> durable.v1.CancelRequested
	28, // 36: durable.v1.Start.state:type_name -> durable.v1.Start.StateEntry
	29, // 37: durable.v1.Start.step_failures:type_name -> durable.v1.Start.StepFailuresEntry
	30, // 38: durable.v1.Start.step_failing:type_name -> durable.v1.Start.StepFailingEntry
	37, // 39: durable.v1.EntryRecorded.kind:type_name -> durable.v1.EntryKind
	33, // 40: durable.v1.EntryRecorded.argument:type_name -> durable.v1.Payload
	38, // 41: durable.v1.EntryRecorded.outcome:type_name -> durable.v1.Outcome
	32, // 42: durable.v1.EntryRecorded.delay:type_name -> google.protobuf.Duration
	32, // 43: durable.v1.EntryRecorded.elapsed:type_name -> google.protobuf.Duration
	35, // 44: durable.v1.Ack.time:type_name -> google.protobuf.Timestamp
	38, // 45: durable.v1.Completion.outcome:type_name -> durable.v1.Outcome
	35, // 46: durable.v1.Completion.time:type_name -> google.protobuf.Timestamp
	38, // 47: durable.v1.Finished.outcome:type_name -> durable.v1.Outcome
	36, // 48: durable.v1.AttemptFailed.failure:type_name -> durable.v1.Failure
	32, // 49: durable.v1.AttemptFailed.retry_delay:type_name -> google.protobuf.Duration
	37, // 50: durable.v1.AttemptFailed.kind:type_name -> durable.v1.EntryKind
	16, // 51: durable.v1.AttemptFailed.other_steps:type_name -> durable.v1.FailedStep
	37, // 52: durable.v1.FailedStep.kind:type_name -> durable.v1.EntryKind
	36, // 53: durable.v1.FailedStep.failure:type_name -> durable.v1.Failure
	36, // 54: durable.v1.Held.failure:type_name -> durable.v1.Failure
	33, // 55: durable.v1.Continued.input:type_name -> durable.v1.Payload
	35, // 56: durable.v1.CancelRequested.time:type_name -> google.protobuf.Timestamp
	33, // 57: durable.v1.Start.StateEntry.value:type_name -> durable.v1.Payload
	32, // 58: durable.v1.Start.StepFailingEntry.value:type_name -> google.protobuf.Duration
	0,  // 59: durable.v1.DurableWorker.Session:input_type -> durable.v1.SessionRequest
	1,  // 60: durable.v1.DurableWorker.Session:output_type -> durable.v1.SessionResponse
	60, // [60:61] is the sub-list for method output_type
	59, // [59:60] is the sub-list for method input_type
	59, // [59:59] is the sub-list for extension type_name
	59, // [59:59] is the sub-list for extension extendee
	0,  // [0:59] is the sub-list for field type_name
}

func init() { file_durable_v1_worker_proto_init() }
func file_durable_v1_worker_proto_init() {
	if File_durable_v1_worker_proto != nil {
		return
	}
	file_durable_v1_invocation_proto_init()
	file_durable_v1_payload_proto_init()
	file_durable_v1_worker_proto_msgTypes[2].OneofWrappers = []any{
		(*WorkerMessage_Entry)(nil),
		(*WorkerMessage_Finished)(nil),
		(*WorkerMessage_AttemptFailed)(nil),
		(*WorkerMessage_Held)(nil),
		(*WorkerMessage_Suspend)(nil),
		(*WorkerMessage_Released)(nil),
		(*WorkerMessage_Hello)(nil),
		(*WorkerMessage_Heartbeat)(nil),
		(*WorkerMessage_Draining)(nil),
		(*WorkerMessage_Paused)(nil),
		(*WorkerMessage_Continued)(nil),
	}
	file_durable_v1_worker_proto_msgTypes[3].OneofWrappers = []any{
		(*ServerMessage_Start)(nil),
		(*ServerMessage_Ack)(nil),
		(*ServerMessage_Completion)(nil),
		(*ServerMessage_Suspended)(nil),
		(*ServerMessage_Abandon)(nil),
		(*ServerMessage_CancelRequested)(nil),
		(*ServerMessage_Welcome)(nil),
		(*ServerMessage_Heartbeat)(nil),
		(*ServerMessage_Drain)(nil),
		(*ServerMessage_PauseRequested)(nil),
	}
	file_durable_v1_worker_proto_msgTypes[15].OneofWrappers = []any{}
	type x struct{}
	out := protoimpl.TypeBuilder{
		File: protoimpl.DescBuilder{
			GoPackagePath: reflect.TypeOf(x{}).PkgPath(),
			RawDescriptor: unsafe.Slice(unsafe.StringData(file_durable_v1_worker_proto_rawDesc), len(file_durable_v1_worker_proto_rawDesc)),
			NumEnums:      0,
			NumMessages:   31,
			NumExtensions: 0,
			NumServices:   1,
		},
		GoTypes:           file_durable_v1_worker_proto_goTypes,
		DependencyIndexes: file_durable_v1_worker_proto_depIdxs,
		MessageInfos:      file_durable_v1_worker_proto_msgTypes,
	}.Build()
	File_durable_v1_worker_proto = out.File
	file_durable_v1_worker_proto_goTypes = nil
	file_durable_v1_worker_proto_depIdxs = nil
}

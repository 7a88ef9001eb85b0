package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	durable "durable.dev/gen/go/durable/v1"
)

const (
	drainTimeout   = 30 * time.Second
	maxFailureText = 8 << 10
	cutMark        = " [cut]"
	maxServerFrame = 64 << 20

	maxTries     = 5 // Of a step, the first included.
	firstDelay   = 100 * time.Millisecond
	longestDelay = 10 * time.Second
)

// Worker runs the invocations of its handlers. One lock guards all that sessions and handlers share.
type Worker struct {
	client   durable.DurableWorkerClient
	hello    *durable.Hello
	handlers map[string]func(*Context) *durable.WorkerMessage

	mu       sync.Mutex
	held     map[string]*Context // By invocation id: what is not settled.
	outbox   []*durable.WorkerMessage
	filled   chan struct{} // Holds one token when there is something for the writer.
	limits   map[string]int64
	draining bool
}

// NewWorker makes a worker of the control plane at an address; Serve connects.
func NewWorker(address string) (*Worker, error) {
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxServerFrame)),
		// gRPC's own pauses would grow to two minutes: longer than the control plane keeps our work.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second,
			},
		}))
	if err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	rand.Read(id) // Never fails.
	host, _ := os.Hostname()
	return &Worker{
		client: durable.NewDurableWorkerClient(connection),
		hello: &durable.Hello{
			ProtocolVersion: 1,
			WorkerId:        hex.EncodeToString(id),
			Identity:        fmt.Sprintf("go %s/%d", host, os.Getpid()),
			SlotCount:       100,
		},
		handlers: map[string]func(*Context) *durable.WorkerMessage{},
		held:     map[string]*Context{},
		filled:   make(chan struct{}, 1),
	}, nil
}

// Handle registers a handler; before Serve. Input and output are JSON.
func Handle[I, O any](w *Worker, name string, handler func(*Context, I) (O, error)) {
	w.hello.Handlers = append(w.hello.Handlers, &durable.HandlerSpec{
		Name: name, Kind: durable.HandlerKind_HANDLER_KIND_WORKFLOW, RetryPolicy: retryPolicy(),
	})
	w.handlers[name] = func(c *Context) *durable.WorkerMessage {
		var input I
		if c.start.Input != nil {
			if err := json.Unmarshal(c.start.Input.Data, &input); err != nil {
				outcome, _ := w.outcome(nil, &TerminalError{"InvalidInput", err.Error()})
				return finished(outcome)
			}
		}
		output, err := handler(c, input)
		outcome, err := w.outcome(output, err)
		if err != nil {
			return failed(err)
		}
		return finished(outcome)
	}
}

// Drain asks Serve to return once everything that is held has ended or was given back.
func (w *Worker) Drain() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.draining = true
	w.send(&durable.WorkerMessage{Message: &durable.WorkerMessage_Draining{Draining: &durable.Draining{}}})
	for _, c := range w.held {
		c.tell() // What only waits suspends itself now.
	}
	time.AfterFunc(drainTimeout, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, c := range w.held {
			if !c.over {
				c.say(&durable.WorkerMessage{Message: &durable.WorkerMessage_Released{Released: &durable.Released{}}})
				c.close()
			}
		}
	})
}

// receive handles a message about an invocation.
func (w *Worker) receive(message *durable.ServerMessage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if start := message.GetStart(); start != nil {
		w.begin(message.InvocationId, message.Attempt, start)
		return
	}
	c := w.held[message.InvocationId]
	if c == nil || c.attempt != message.Attempt {
		return
	}
	switch told := message.Message.(type) {
	case *durable.ServerMessage_Ack:
		c.acknowledged(told.Ack)
	case *durable.ServerMessage_Completion:
		done := told.Completion
		c.complete(done.CompletionNumber, completion{done.Index, done.Outcome, done.Time.AsTime()})
	case *durable.ServerMessage_CancelRequested:
		c.pausing = false
		c.complete(told.CancelRequested.CompletionNumber, completion{time: told.CancelRequested.Time.AsTime()})
	case *durable.ServerMessage_PauseRequested:
		c.pausing = true
	case *durable.ServerMessage_Suspended, *durable.ServerMessage_Abandon:
		delete(w.held, c.id)
		c.close()
		w.wake() // A draining worker may be done.
	}
	c.tell()
}

// begin hands an attempt to its handler, in a goroutine of its own; the caller has the lock.
func (w *Worker) begin(id string, attempt int32, start *durable.Start) {
	if before := w.held[id]; before != nil {
		before.close()
	}
	log.Printf("%s: attempt %d at %s, %d journal entries", id, attempt, start.Handler, len(start.Journal))
	c := newContext(w, id, attempt, start)
	w.held[id] = c
	go func() {
		defer func() {
			if trouble := recover(); trouble != nil {
				c.finish(failed(fmt.Errorf("panic: %v", trouble)))
			}
		}()
		c.finish(w.handlers[start.Handler](c))
	}()
}

// outcome is what is journaled of a value and an error; an error that a retry may change is returned.
func (w *Worker) outcome(value any, err error) (*durable.Outcome, error) {
	var terminal *TerminalError
	switch {
	case errors.Is(err, ErrCancelled):
		terminal = &TerminalError{"durable.Cancelled", err.Error()}
	case errors.As(err, &terminal):
	case err != nil:
		return nil, err
	default:
		data, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		w.mu.Lock()
		limit := w.limits["payload_bytes"]
		w.mu.Unlock()
		if int64(len(data)) <= limit {
			return &durable.Outcome{Result: &durable.Outcome_Value{Value: &durable.Payload{Data: data}}}, nil
		}
		terminal = &TerminalError{"durable.PayloadTooLarge", fmt.Sprintf(
			"a value of %d bytes is over the limit payload_bytes (%d); store it elsewhere and pass a reference",
			len(data), limit)}
	}
	failure := &durable.Failure{Type: terminal.Type, Message: cut(terminal.Message), Terminal: true}
	return &durable.Outcome{Result: &durable.Outcome_Failure{Failure: failure}}, nil
}

func finished(outcome *durable.Outcome) *durable.WorkerMessage {
	return &durable.WorkerMessage{Message: &durable.WorkerMessage_Finished{
		Finished: &durable.Finished{Outcome: outcome},
	}}
}

// failed says that the program itself has failed; the control plane applies the retry policy.
func failed(err error) *durable.WorkerMessage {
	return &durable.WorkerMessage{Message: &durable.WorkerMessage_AttemptFailed{
		AttemptFailed: &durable.AttemptFailed{Failure: failureOf(err)},
	}}
}

// stepFailed says that a step has failed and is to be tried again after a delay.
func stepFailed(err error, index int32, name string, failures int32) *durable.WorkerMessage {
	message := failed(err)
	step := message.GetAttemptFailed()
	step.Index, step.Kind, step.Name = &index, durable.EntryKind_ENTRY_KIND_RUN, name
	delay := min(firstDelay<<min(failures-1, 10), longestDelay)
	step.RetryDelay = durationpb.New(delay - mathrand.N(delay/5))
	return message
}

// usedUp is the outcome of a step that is not tried again: the handler sees it.
func usedUp(err error) *durable.Outcome {
	failure := failureOf(err)
	failure.Terminal = true
	return &durable.Outcome{Result: &durable.Outcome_Failure{Failure: failure}}
}

func failureOf(err error) *durable.Failure {
	return &durable.Failure{Type: fmt.Sprintf("%T", err), Message: cut(err.Error())}
}

// retryPolicy is that of every handler: the worker applies it to steps, the control plane to handlers.
func retryPolicy() *durable.RetryPolicy {
	return &durable.RetryPolicy{
		InitialInterval: durationpb.New(firstDelay), MaxInterval: durationpb.New(longestDelay),
		Multiplier: 2, Jitter: 0.2, MaxAttempts: maxTries,
	}
}

func cut(text string) string {
	if len(text) <= maxFailureText {
		return text
	}
	return strings.ToValidUTF8(text[:maxFailureText-len(cutMark)], "") + cutMark
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	durable "durable.dev/gen/go/durable/v1"
)

// suspendAfter is how long an attempt may only wait before it leaves the worker's memory.
const suspendAfter = time.Second

// ErrCancelled is what the operation returns at which a handler learns of its cancellation.
var ErrCancelled = errors.New("the invocation is cancelled")

// ErrTimeout is what Signal returns when its time is up.
var ErrTimeout = errors.New("nothing came in time")

// TerminalError is a failure that no retry would change. A step that returns it has it journaled; a
// handler that returns it has failed. Promises that were rejected return it.
type TerminalError struct{ Type, Message string }

func (e *TerminalError) Error() string { return e.Type + ": " + e.Message }

// Context is one attempt at an invocation, as its handler sees it.
//
// Run, Sleep, Promise and Signal are the durable operations. Each has its number in the order in which the
// handler asks, and blocks until its outcome is delivered. Outcomes are delivered in the order of
// their completion numbers; those of the journal that an attempt starts with are only ones that
// arrived early. So replay and live execution are the same code.
//
// An attempt that was suspended, paused or abandoned ends inside an operation: the goroutine exits,
// after the handler's deferred functions. Only the handler's own goroutine may use a Context.
type Context struct {
	id       string
	attempt  int32
	start    *durable.Start
	worker   *Worker
	lifetime context.Context // Ends with the attempt.
	end      context.CancelFunc

	// Of the handler's goroutine.
	journal   map[int32]*durable.JournalEntry // What the attempt started with.
	asked     int32                           // How many operations the program has asked for.
	delivered int64                           // The number of the last completion that was delivered.
	outcomes  map[int32]*durable.Outcome      // What was delivered, by index.
	now       time.Time
	random    *rand.Rand

	// Shared with the session, under the worker's lock.
	arrived map[int64]completion     // By number; not all delivered yet.
	pending []*durable.WorkerMessage // Said, and to be said again after a reconnect.
	pausing bool
	over    bool          // Nothing is said about this attempt any more.
	news    chan struct{} // Holds one token when any of these has changed.
}

func newContext(w *Worker, id string, attempt int32, start *durable.Start) *Context {
	lifetime, end := context.WithCancel(context.Background())
	c := &Context{
		id: id, attempt: attempt, start: start, worker: w, lifetime: lifetime, end: end,
		journal:  map[int32]*durable.JournalEntry{},
		outcomes: map[int32]*durable.Outcome{},
		now:      start.StartTime.AsTime(),
		random:   rand.New(rand.NewPCG(start.RandomSeed, 0)),
		arrived:  map[int64]completion{},
		news:     make(chan struct{}, 1),
	}
	for _, entry := range start.Journal {
		c.journal[entry.Index] = entry
		if entry.CompletionNumber > 0 {
			c.arrived[entry.CompletionNumber] = completion{entry.Index, entry.Outcome, entry.CompleteTime.AsTime()}
		}
	}
	if cancel := start.CancelRequested; cancel != nil {
		c.arrived[cancel.CompletionNumber] = completion{time: cancel.Time.AsTime()}
	}
	return c
}

// completion is how an entry ended, or with no outcome a cancellation.
type completion struct {
	index   int32
	outcome *durable.Outcome
	time    time.Time
}

// Attempt is the number of this attempt, from 1.
func (c *Context) Attempt() int32 { return c.attempt }

// Now is the program's clock: the same at the same place of every attempt.
func (c *Context) Now() time.Time { return c.now }

// Rand gives random numbers that are the same in every attempt.
func (c *Context) Rand() *rand.Rand { return c.random }

// Run runs a step and journals its outcome: a step whose outcome is in the journal does not run again.
// An error that is not terminal ends the attempt, and the step is tried again by the handler's retry
// policy; when its tries are used up the error is journaled, and the handler sees it as a TerminalError.
func Run[T any](c *Context, name string, step func(context.Context) (T, error)) (value T, err error) {
	index, known := c.ask(durable.EntryKind_ENTRY_KIND_RUN, name)
	if !known {
		if err := c.catchUp(); err != nil {
			return value, err
		}
		begun := time.Now()
		result, err := step(c.lifetime)
		elapsed := time.Since(begun)
		outcome, err := c.worker.outcome(result, err)
		if err != nil {
			if failures := c.start.StepFailures[index] + 1; failures < maxTries {
				c.finish(stepFailed(err, index, name, failures))
				runtime.Goexit()
			}
			outcome = usedUp(err)
		}
		c.record(&durable.EntryRecorded{
			Index: index, Kind: durable.EntryKind_ENTRY_KIND_RUN, Name: name, Outcome: outcome,
			Elapsed: durationpb.New(elapsed),
		})
	}
	err = c.await(index, &value)
	return value, err
}

// Sleep waits for a timer of the control plane's: this process need not live that long.
func Sleep(c *Context, delay time.Duration) error {
	return c.wait(&durable.EntryRecorded{
		Kind: durable.EntryKind_ENTRY_KIND_SLEEP, Delay: durationpb.New(delay),
	}, nil)
}

// Promise waits until somebody outside resolves the awakeable `<invocation id>.<name>`.
func Promise[T any](c *Context, name string) (value T, err error) {
	err = c.wait(&durable.EntryRecorded{
		Kind: durable.EntryKind_ENTRY_KIND_AWAKEABLE, Name: c.id + "." + name,
	}, &value)
	return value, err
}

// Signal waits for the next signal of a name, for a time at most; 0 is for ever. When the time is up it
// returns ErrTimeout. A wait that ends without its signal, by time or by a cancellation, is given up:
// what comes later, or came too late to be seen, is for the next one.
func Signal[T any](c *Context, name string, within time.Duration) (value T, err error) {
	signal, err := c.begin(&durable.EntryRecorded{
		Kind: durable.EntryKind_ENTRY_KIND_SIGNAL, Name: name,
	})
	if err != nil {
		return value, err // Not recorded: there is nothing to give up.
	}
	timer := int32(-1)
	if within > 0 {
		timer, err = c.begin(&durable.EntryRecorded{
			Kind: durable.EntryKind_ENTRY_KIND_SLEEP, Delay: durationpb.New(within),
		})
	}
	for err == nil && c.outcomes[signal] == nil {
		if c.outcomes[timer] != nil {
			err = ErrTimeout
		} else {
			err = c.deliver(c.next())
		}
	}
	if err != nil {
		c.giveUp(signal)
		return value, err
	}
	err = c.await(signal, &value)
	return value, err
}

// giveUp ends the wait for a signal.
func (c *Context) giveUp(signal int32) {
	target := fmt.Sprintf("#%d", signal)
	index, known := c.ask(durable.EntryKind_ENTRY_KIND_CANCEL, target)
	if !known {
		c.record(&durable.EntryRecorded{
			Index: index, Kind: durable.EntryKind_ENTRY_KIND_CANCEL, Name: target, Target: target,
		})
	}
}

// wait records an operation that the control plane ends, and awaits it.
func (c *Context) wait(entry *durable.EntryRecorded, into any) error {
	index, err := c.begin(entry)
	if err != nil {
		return err
	}
	return c.await(index, into)
}

// begin records an operation that the control plane ends.
func (c *Context) begin(entry *durable.EntryRecorded) (index int32, err error) {
	index, known := c.ask(entry.Kind, entry.Name)
	if !known {
		if err := c.catchUp(); err != nil {
			return index, err
		}
		entry.Index = index
		c.record(entry)
	}
	return index, nil
}

// ask numbers an operation, and tells whether the journal has it. If it has something else there, the
// code no longer fits the journal: the invocation is held for a person.
func (c *Context) ask(kind durable.EntryKind, name string) (index int32, known bool) {
	index = c.asked
	c.asked++
	entry, known := c.journal[index]
	if known && (entry.Kind != kind || entry.Name != name) {
		c.hold(fmt.Sprintf("entry %d: the journal has %s, the program asks for %s", index,
			described(entry.Kind, entry.Name), described(kind, name)))
	}
	return index, known
}

// await delivers completions until that of an entry has been, and decodes its value.
func (c *Context) await(index int32, into any) error {
	for {
		if outcome, ok := c.outcomes[index]; ok {
			if failure := outcome.GetFailure(); failure != nil {
				return &TerminalError{failure.Type, failure.Message}
			}
			if into == nil {
				return nil
			}
			return json.Unmarshal(outcome.GetValue().GetData(), into)
		}
		if err := c.deliver(c.next()); err != nil {
			return err
		}
	}
}

// catchUp delivers what has arrived: before anything new begins there may be a cancellation, or a
// request to pause.
func (c *Context) catchUp() error {
	for c.hasNext() {
		if err := c.deliver(c.next()); err != nil {
			return err
		}
	}
	return nil
}

func (c *Context) deliver(done completion) error {
	c.delivered++
	c.now = done.time
	if done.outcome == nil {
		return ErrCancelled
	}
	if done.index >= c.asked {
		c.hold(fmt.Sprintf("completion %d is that of entry %d, which the program has not asked for",
			c.delivered, done.index))
	}
	c.outcomes[done.index] = done.outcome
	return nil
}

func (c *Context) hasNext() bool {
	c.worker.mu.Lock()
	defer c.worker.mu.Unlock()
	_, ok := c.arrived[c.delivered+1]
	return ok || c.over || c.pausing
}

// next waits for the completion whose turn it is. It does not return when the attempt is over.
func (c *Context) next() completion {
	idle := time.NewTimer(suspendAfter)
	defer idle.Stop()
	for {
		c.worker.mu.Lock()
		done, ok := c.arrived[c.delivered+1]
		switch {
		case c.over:
			c.worker.mu.Unlock()
			runtime.Goexit()
		case c.pausing && len(c.unacknowledged()) == 0:
			c.worker.mu.Unlock()
			c.finish(&durable.WorkerMessage{Message: &durable.WorkerMessage_Paused{Paused: &durable.Paused{}}})
			runtime.Goexit()
		case ok && !c.pausing:
			c.worker.mu.Unlock()
			return done
		case c.worker.draining && len(c.pending) == 0:
			c.suspend()
		}
		c.worker.mu.Unlock()
		select {
		case <-c.news:
		case <-idle.C:
			c.worker.mu.Lock()
			if len(c.pending) == 0 { // Nothing in flight: it only waits.
				c.suspend()
			}
			c.worker.mu.Unlock()
			idle.Reset(suspendAfter)
		}
	}
}

// suspend offers to suspend the attempt; the caller has the lock.
func (c *Context) suspend() {
	c.say(&durable.WorkerMessage{Message: &durable.WorkerMessage_Suspend{
		Suspend: &durable.Suspend{CompletionNumber: c.delivered},
	}})
}

// unacknowledged is what the log may not have yet; the caller has the lock.
func (c *Context) unacknowledged() (entries []*durable.WorkerMessage) {
	for _, message := range c.pending {
		if message.GetEntry() != nil {
			entries = append(entries, message)
		}
	}
	return entries
}

// acknowledged says that an entry is in the log; the outcome of a step counts from now on. The caller
// has the lock.
func (c *Context) acknowledged(ack *durable.Ack) {
	for _, message := range c.pending {
		if entry := message.GetEntry(); entry != nil && entry.Index == ack.Index {
			c.settle(message)
			if ack.CompletionNumber > 0 {
				c.complete(ack.CompletionNumber, completion{ack.Index, entry.Outcome, ack.Time.AsTime()})
			}
			return
		}
	}
}

// complete keeps a completion until its turn; it also answers a Suspend, in the negative. The caller
// has the lock.
func (c *Context) complete(number int64, done completion) {
	c.arrived[number] = done
	for _, message := range c.pending {
		if message.GetSuspend() != nil {
			c.settle(message)
			return
		}
	}
}

// settle forgets a message; the caller has the lock.
func (c *Context) settle(message *durable.WorkerMessage) {
	c.pending = slices.DeleteFunc(c.pending, func(it *durable.WorkerMessage) bool { return it == message })
}

func (c *Context) record(entry *durable.EntryRecorded) {
	c.worker.mu.Lock()
	defer c.worker.mu.Unlock()
	if !c.over {
		c.say(&durable.WorkerMessage{Message: &durable.WorkerMessage_Entry{Entry: entry}})
	}
}

// finish says the last word of the attempt, unless that was said.
func (c *Context) finish(message *durable.WorkerMessage) {
	c.worker.mu.Lock()
	defer c.worker.mu.Unlock()
	if !c.over {
		c.say(message)
		c.close()
	}
}

func (c *Context) hold(problem string) {
	failure := &durable.Failure{Type: "durable.DeterminismError", Message: problem}
	c.finish(&durable.WorkerMessage{
		Message: &durable.WorkerMessage_Held{Held: &durable.Held{Failure: failure}},
	})
	runtime.Goexit()
}

// say keeps a message until it is settled, and sends it; the caller has the lock.
func (c *Context) say(message *durable.WorkerMessage) {
	message.InvocationId, message.Attempt = c.id, c.attempt
	c.pending = append(c.pending, message)
	c.worker.send(message)
}

// close lets the goroutine of the handler end at its next operation; the caller has the lock.
func (c *Context) close() {
	c.over = true
	c.end()
	c.tell()
}

// tell wakes the handler's goroutine.
func (c *Context) tell() {
	select {
	case c.news <- struct{}{}:
	default:
	}
}

func described(kind durable.EntryKind, name string) string {
	return strings.TrimSpace(strings.TrimPrefix(kind.String(), "ENTRY_KIND_") + " " + name)
}

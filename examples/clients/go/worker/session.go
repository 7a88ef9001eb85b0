package main

import (
	"context"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	durable "durable.dev/gen/go/durable/v1"
)

const (
	pauseAtFirst   = 100 * time.Millisecond
	pauseAtMost    = 2 * time.Second
	welcomeTimeout = 10 * time.Second
)

// Serve runs one session after the other until the worker is drained, or is refused for good.
func (w *Worker) Serve() error {
	for pause := pauseAtFirst; ; pause = min(2*pause, pauseAtMost) {
		welcomed, err := w.session()
		switch code := status.Code(err); {
		case err == nil || w.isDone():
			return nil
		case welcomed:
			pause = pauseAtFirst
		case code == codes.InvalidArgument || code == codes.FailedPrecondition || code == codes.Unimplemented:
			return err
		}
		log.Printf("the session ended: %v; connecting again", err)
		time.Sleep(rand.N(pause))
	}
}

// isDone tells whether the worker drains and nothing is held.
func (w *Worker) isDone() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.draining && len(w.held) == 0
}

type stream = grpc.BidiStreamingClient[durable.SessionRequest, durable.SessionResponse]

// session lives as long as its stream; it returns nil when the worker has left in order.
func (w *Worker) session() (welcomed bool, err error) {
	var writer sync.WaitGroup
	defer writer.Wait() // The outbox has one reader at a time.
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := w.client.Session(ctx)
	if err != nil {
		return false, err
	}
	w.mu.Lock()
	hello := proto.Clone(w.hello).(*durable.Hello)
	for _, c := range w.held {
		hello.Resumed = append(hello.Resumed, &durable.OwnedAttempt{InvocationId: c.id, Attempt: c.attempt})
	}
	w.mu.Unlock()
	// When a Send fails, Recv has the reason.
	_ = stream.Send(&durable.SessionRequest{Messages: []*durable.WorkerMessage{
		{Message: &durable.WorkerMessage_Hello{Hello: hello}},
	}})
	timeout := welcomeTimeout
	silence := time.AfterFunc(timeout, cancel)
	defer silence.Stop()
	for {
		frame, err := stream.Recv()
		if errors.Is(err, io.EOF) && w.isDone() {
			return welcomed, nil
		}
		if err != nil {
			return welcomed, err
		}
		for _, message := range frame.Messages {
			switch {
			case message.GetWelcome() != nil:
				welcome := message.GetWelcome()
				welcomed, timeout = true, welcome.SessionTimeout.AsDuration()
				w.connected(welcome)
				writer.Add(1)
				go func() {
					defer writer.Done()
					w.write(ctx, stream, welcome.HeartbeatInterval.AsDuration())
				}()
			case message.GetDrain() != nil:
				// The work stays ours: the next session takes it up.
				time.Sleep(message.GetDrain().Delay.AsDuration())
				return welcomed, errors.New("the control plane asks to reconnect")
			default:
				w.receive(message)
			}
		}
		silence.Reset(timeout)
	}
}

// connected says again whatever the session before may have lost.
func (w *Worker) connected(welcome *durable.Welcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.limits, w.outbox = welcome.Limits, nil
	if w.draining {
		w.send(&durable.WorkerMessage{Message: &durable.WorkerMessage_Draining{Draining: &durable.Draining{}}})
	}
	for _, c := range w.held {
		w.outbox = append(w.outbox, c.pending...)
	}
	log.Printf("connected; %d attempts are still held", len(w.held))
}

// send puts a message into the next frame; the caller has the lock.
func (w *Worker) send(message *durable.WorkerMessage) {
	w.outbox = append(w.outbox, message)
	w.wake()
}

func (w *Worker) wake() {
	select {
	case w.filled <- struct{}{}:
	default:
	}
}

// write writes frames of what has accumulated while the one before was written.
func (w *Worker) write(ctx context.Context, stream stream, heartbeat time.Duration) {
	beat := &durable.WorkerMessage{Message: &durable.WorkerMessage_Heartbeat{Heartbeat: &durable.Heartbeat{}}}
	quiet := time.NewTimer(heartbeat)
	defer quiet.Stop()
	for {
		frame := w.frame()
		if len(frame) == 0 {
			if w.isDone() {
				_ = stream.CloseSend()
				return
			}
			select {
			case <-ctx.Done():
				return
			case <-w.filled:
				continue
			case <-quiet.C:
				frame = append(frame, beat)
			}
		}
		if stream.Send(&durable.SessionRequest{Messages: frame}) != nil {
			return
		}
		w.sent(frame)
		quiet.Reset(heartbeat)
	}
}

// frame takes as much out of the outbox as one frame may hold.
func (w *Worker) frame() (frame []*durable.WorkerMessage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	size := int64(0)
	for len(w.outbox) > 0 {
		size += int64(proto.Size(w.outbox[0])) + 8
		if len(frame) > 0 && size > w.limits["frame_bytes"] {
			break
		}
		frame, w.outbox = append(frame, w.outbox[0]), w.outbox[1:]
	}
	return frame
}

// sent forgets attempts whose last word is written. Should it be lost with the connection, the next
// Hello does not list the attempt, and the control plane starts it anew.
func (w *Worker) sent(frame []*durable.WorkerMessage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, message := range frame {
		c := w.held[message.InvocationId]
		if c != nil && c.over && c.pending[len(c.pending)-1] == message {
			delete(w.held, c.id)
		}
	}
}

// A Go program that starts, waits for, steers and finds invocations.
//
//	go run . 127.0.0.1:50051
//
// It reads from top to bottom: main is the tour, the functions below it are what a program of yours
// would take over, and errors.go turns refusals into Go errors.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	durable "durable.dev/gen/go/durable/v1"
)

// What the handlers take and give. To the control plane a value is bytes; here it is JSON.
type (
	Greet struct {
		Name string `json:"name"`
	}
	Greeting struct {
		Message string `json:"message"`
		Letters int    `json:"letters"`
	}
	Order struct {
		Item string `json:"item"`
	}
	Approval struct {
		By string `json:"by"`
	}
	Ordered struct {
		Item       string `json:"item"`
		ApprovedBy string `json:"approved_by"`
	}
)

type client struct{ durable.DurableControlClient }

func main() {
	address := "127.0.0.1:50051"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		// A call waits for a control plane that is restarting, as long as its context allows.
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := tour(ctx, client{durable.NewDurableControlClient(connection)}); err != nil {
		log.Fatal(err)
	}
}

func tour(ctx context.Context, c client) error {
	// Start and wait.
	id, err := c.start(ctx, "greet", Greet{Name: "Ada"})
	if err != nil {
		return err
	}
	var greeting Greeting
	if err := c.wait(ctx, id, &greeting); err != nil {
		return err
	}
	fmt.Println("greeting:", greeting.Message, greeting.Letters)

	// Pause and resume. An order waits for an approval that somebody outside gives.
	book, err := c.start(ctx, "order", Order{Item: "book"})
	if err != nil {
		return err
	}
	paused, err := c.Pause(ctx, &durable.PauseRequest{
		InvocationId: book, RequestId: newRequestID(), Reason: "stocktaking",
		WaitTimeout: durationpb.New(10 * time.Second),
	})
	if err != nil {
		return refused(err)
	}
	fmt.Println("pause:", word(paused.State))
	if _, err := c.Resume(ctx, &durable.ResumeRequest{
		InvocationId: book, RequestId: newRequestID(),
	}); err != nil {
		return refused(err)
	}

	// Resolve: the order goes on with the value.
	if err := c.resolve(ctx, book+".approval", Approval{By: "Grace"}); err != nil {
		return err
	}
	var ordered Ordered
	if err := c.wait(ctx, book, &ordered); err != nil {
		return err
	}
	fmt.Printf("resolve: %s, approved by %s\n", ordered.Item, ordered.ApprovedBy)

	// Reject: the order fails, and says why.
	lamp, err := c.start(ctx, "order", Order{Item: "lamp"})
	if err != nil {
		return err
	}
	if err := c.reject(ctx, lamp+".approval", "out of stock"); err != nil {
		return err
	}
	var failed *FailedError
	if err := c.wait(ctx, lamp, nil); !errors.As(err, &failed) {
		return fmt.Errorf("expected a failure, got %v", err)
	}
	fmt.Println("reject:", failed.Failure.Message)

	// Cancel, while a watch follows.
	pen, err := c.start(ctx, "order", Order{Item: "pen"})
	if err != nil {
		return err
	}
	if _, err := c.Cancel(ctx, &durable.CancelRequest{
		InvocationId: pen, RequestId: newRequestID(), Reason: "changed my mind",
	}); err != nil {
		return refused(err)
	}
	last, err := c.follow(ctx, pen)
	if err != nil {
		return err
	}
	fmt.Println("cancel:", word(last))

	// Find, page by page.
	found, pages, err := c.query(ctx, &durable.QueryRequest{Handler: "order", PageSize: 2})
	if err != nil {
		return err
	}
	fmt.Printf("query: %d orders on %d pages\n", len(found), pages)

	// Refusals are told apart by code and reason, never by text.
	_, err = c.start(ctx, "nobody", Greet{})
	var refusal *RefusedError
	if !errors.As(err, &refusal) {
		return fmt.Errorf("expected a refusal, got %v", err)
	}
	fmt.Println("refusal:", refusal.Code, refusal.Reason, refusal.Metadata["handler"])
	_, err = c.Resume(ctx, &durable.ResumeRequest{InvocationId: book})
	if errors.As(refused(err), &refusal) && refusal.Because(durable.ErrorReason_ERROR_REASON_INVALID_STATE) {
		fmt.Println("refusal:", refusal.Code, refusal.Reason, refusal.Metadata["operation"])
	}
	return nil
}

// start starts an invocation and returns its id. The request id makes the retries safe: however many
// arrive, one invocation is started.
func (c client) start(ctx context.Context, handler string, input any) (string, error) {
	payload, err := toPayload(input)
	if err != nil {
		return "", err
	}
	request := &durable.InvokeRequest{Handler: handler, Input: payload, RequestId: newRequestID()}
	for delay := 100 * time.Millisecond; ; delay = min(2*delay, 5*time.Second) {
		response, err := c.Invoke(ctx, request)
		if err == nil {
			return response.InvocationId, nil
		}
		if err = refused(err); !isTransient(err) {
			return "", err
		}
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// wait waits for the end, however long it takes, and decodes the value into output unless that is
// nil. It asks in turns of half a minute, so that no proxy cuts a silent connection.
func (c client) wait(ctx context.Context, id string, output any) error {
	for {
		result, err := c.GetResult(ctx, &durable.GetResultRequest{
			InvocationId: id, WaitTimeout: durationpb.New(30 * time.Second),
		})
		switch {
		case err != nil:
			return refused(err)
		case result.State == durable.InvocationState_INVOCATION_STATE_PAUSED:
			return fmt.Errorf("%s is paused", id)
		case result.Outcome.GetFailure() != nil:
			return &FailedError{ID: id, State: result.State, Failure: result.Outcome.GetFailure()}
		case result.Outcome != nil && output != nil:
			return json.Unmarshal(result.Outcome.GetValue().GetData(), output)
		case result.Outcome != nil:
			return nil
		}
	}
}

func (c client) resolve(ctx context.Context, awakeable string, value any) error {
	payload, err := toPayload(value)
	if err != nil {
		return err
	}
	return c.settle(ctx, awakeable, &durable.Outcome{Result: &durable.Outcome_Value{Value: payload}})
}

func (c client) reject(ctx context.Context, awakeable, message string) error {
	failure := &durable.Failure{Type: "Rejected", Message: message, Terminal: true}
	return c.settle(ctx, awakeable, &durable.Outcome{Result: &durable.Outcome_Failure{Failure: failure}})
}

func (c client) settle(ctx context.Context, awakeable string, outcome *durable.Outcome) error {
	_, err := c.ResolveAwakeable(ctx, &durable.ResolveAwakeableRequest{
		AwakeableId: awakeable, Outcome: outcome, RequestId: newRequestID(),
	})
	return refused(err)
}

// follow returns the state that an invocation ended in; the stream ends with it.
func (c client) follow(ctx context.Context, id string) (durable.InvocationState, error) {
	var last durable.InvocationState
	stream, err := c.WatchInvocation(ctx, &durable.WatchInvocationRequest{InvocationId: id})
	if err != nil {
		return last, refused(err)
	}
	for {
		change, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return last, refused(err)
		}
		last = change.Invocation.State
	}
}

// query returns everything that matches, and how many pages that took.
func (c client) query(
	ctx context.Context, request *durable.QueryRequest,
) (found []*durable.Invocation, pages int, err error) {
	for {
		page, err := c.Query(ctx, request)
		if err != nil {
			return nil, 0, refused(err)
		}
		found, pages = append(found, page.Invocations...), pages+1
		if page.NextPageToken == "" {
			return found, pages, nil
		}
		request.PageToken = page.NextPageToken
	}
}

func toPayload(value any) (*durable.Payload, error) {
	data, err := json.Marshal(value)
	return &durable.Payload{Data: data}, err
}

func isTransient(err error) bool {
	var refusal *RefusedError
	return errors.As(err, &refusal) &&
		(refusal.Code == codes.Unavailable || refusal.Code == codes.ResourceExhausted)
}

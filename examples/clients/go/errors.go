package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	durable "durable.dev/gen/go/durable/v1"
)

// FailedError says that an invocation ended without a value: it failed or was cancelled.
type FailedError struct {
	ID      string
	State   durable.InvocationState
	Failure *durable.Failure
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("%s: %s: %s: %s", e.ID, word(e.State), e.Failure.Type, e.Failure.Message)
}

// RefusedError says that the control plane could not serve a request. errors.proto lists the reasons
// and what stands in the metadata of each.
type RefusedError struct {
	Code     codes.Code
	Reason   string
	Metadata map[string]string
	Message  string
}

func (e *RefusedError) Error() string { return fmt.Sprintf("%s %s: %s", e.Code, e.Reason, e.Message) }

// Because tells whether the refusal has this reason.
func (e *RefusedError) Because(reason durable.ErrorReason) bool {
	return "ERROR_REASON_"+e.Reason == reason.String()
}

// refused makes a RefusedError out of an RPC's error. The details come in the trailer
// grpc-status-details-bin, which grpc-go decodes; they are absent when it was not the control plane
// that answered.
func refused(err error) error {
	if err == nil {
		return nil
	}
	found := status.Convert(err)
	refusal := &RefusedError{Code: found.Code(), Message: found.Message()}
	for _, detail := range found.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.Domain == "durable.v1" {
			refusal.Reason, refusal.Metadata = info.Reason, info.Metadata
		}
	}
	return refusal
}

// word is a state as people read it.
func word(state durable.InvocationState) string {
	return strings.ToLower(strings.TrimPrefix(state.String(), "INVOCATION_STATE_"))
}

func newRequestID() string {
	id := make([]byte, 16)
	rand.Read(id) // Never fails.
	return hex.EncodeToString(id)
}

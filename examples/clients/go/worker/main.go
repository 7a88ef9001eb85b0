// A Durable worker in Go, written from the comments of proto/durable/v1/worker.proto alone.
//
//	go run ./worker 127.0.0.1:50051
//
// It reads in this order: main.go has the handlers, as a program of yours would; context.go is what a
// handler sees, and replays the journal; worker.go keeps what is held; session.go talks.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Order is what checkout takes.
type Order struct {
	Item string `json:"item"`
	// Busy is how many attempts find the mail server busy.
	Busy int32 `json:"busy"`
}

// Shipment is what the promise "shipped" is resolved with.
type Shipment struct {
	Parcel string `json:"parcel"`
}

// Receipt is what checkout gives.
type Receipt struct {
	Charge string `json:"charge"`
	Parcel string `json:"parcel"`
}

// checkout charges for an item, lets a moment pass, waits until somebody outside says that it was
// shipped, and mails a receipt. Cancelled while it waits, it gives the money back.
func checkout(c *Context, order Order) (Receipt, error) {
	number := c.Rand().Uint32() // Outside of steps: they do not run again, and would not draw again.
	charge, err := Run(c, "charge", func(context.Context) (string, error) {
		fmt.Println("charged for", order.Item)
		return fmt.Sprintf("charge-%08x", number), nil
	})
	if err != nil {
		return Receipt{}, err
	}
	if err := Sleep(c, 100*time.Millisecond); err != nil {
		return Receipt{}, err
	}
	shipment, err := Promise[Shipment](c, "shipped")
	if errors.Is(err, ErrCancelled) {
		if _, failed := Run(c, "refund", func(context.Context) (any, error) {
			fmt.Println("refunded", order.Item)
			return nil, nil
		}); failed != nil {
			return Receipt{}, failed
		}
	}
	if err != nil {
		return Receipt{}, err
	}
	if _, err := Run(c, "mail", func(context.Context) (any, error) {
		if c.Attempt() <= order.Busy {
			return nil, errors.New("the mail server is busy") // Ends the attempt; another follows.
		}
		fmt.Println("mailed a receipt for", order.Item)
		return nil, nil
	}); err != nil {
		return Receipt{}, err
	}
	return Receipt{Charge: charge, Parcel: shipment.Parcel}, nil
}

// collect takes so many numbered signals, and looks at the clock every few milliseconds meanwhile.
func collect(c *Context, count int) ([]int, error) {
	numbers := []int{}
	for len(numbers) < count {
		number, err := Signal[int](c, "number", 3*time.Millisecond)
		switch {
		case errors.Is(err, ErrTimeout):
		case err != nil:
			return nil, err
		default:
			numbers = append(numbers, number)
		}
	}
	return numbers, nil
}

func main() {
	address := "127.0.0.1:50051"
	if len(os.Args) > 1 {
		address = os.Args[1]
	}
	worker, err := NewWorker(address)
	if err != nil {
		log.Fatal(err)
	}
	Handle(worker, "checkout", checkout)
	Handle(worker, "collect", collect)

	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		worker.Drain()
		<-signals
		os.Exit(1) // A second one does not wait.
	}()
	if err := worker.Serve(); err != nil {
		log.Fatal(err)
	}
}

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sys/unix"
)

// load is a schedule of messages from one publisher to one consumer.
type load struct {
	to                      string
	rate, warm, total, size int
}

const subject = "load"

// clientGC is GOGC of the client, as that of the harness's own clients.
const clientGC = 800

// run writes, for every message that counts, the nanoseconds from the moment it was due to the moment it was there.
func (l load) run(to io.Writer) error {
	defer debug.SetGCPercent(debug.SetGCPercent(clientGC))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute+2*time.Duration(l.total/l.rate)*time.Second)
	defer cancel()
	publisher, err := nats.Connect("nats://" + l.to)
	if err != nil {
		return err
	}
	defer publisher.Close()
	stream, err := jetstream.New(publisher)
	if err != nil {
		return err
	}
	made, err := stream.CreateStream(ctx, jetstream.StreamConfig{
		Name: "LOAD", Subjects: []string{subject}, Storage: jetstream.FileStorage,
	})
	if err != nil {
		return err
	}
	consumer, err := made.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{})
	if err != nil {
		return err
	}
	took := make(chan time.Duration, l.total)
	begun := time.Now().Add(time.Second) // when the consumer is there
	consuming, err := consumer.Consume(func(m jetstream.Msg) {
		took <- time.Since(begun) - time.Duration(binary.BigEndian.Uint64(m.Data()))
	})
	if err != nil {
		return err
	}
	defer consuming.Stop()
	failed := make(chan error, 1)
	go func() { failed <- l.publish(stream, begun) }()
	out := bufio.NewWriter(to)
	for seen := 0; seen < l.total; {
		select {
		case d := <-took:
			if seen++; seen <= l.warm {
				continue
			}
			if _, err := out.Write(binary.BigEndian.AppendUint64(nil, uint64(max(0, d)))); err != nil {
				return err
			}
		case err := <-failed:
			if err != nil {
				return err
			}
			failed = nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return out.Flush()
}

// publish sends each message when it is due, by the kernel's high-resolution clock.
func (l load) publish(stream jetstream.JetStream, begun time.Time) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return err
	}
	const pause = 200 * time.Microsecond // at least, as the other clients' schedule has it
	woken := begun
	for i := range l.total {
		due := begun.Add(time.Duration(i) * time.Second / time.Duration(l.rate))
		if time.Until(due) > 0 {
			if woken = woken.Add(pause); due.After(woken) {
				woken = due
			}
			for wait := time.Until(woken); wait > 0; wait = time.Until(woken) {
				left := unix.NsecToTimespec(wait.Nanoseconds())
				_ = unix.Nanosleep(&left, nil) // or it was interrupted, and sleeps again
			}
		}
		value := make([]byte, l.size)
		binary.BigEndian.PutUint64(value, uint64(due.Sub(begun)))
		if _, err := stream.PublishAsync(subject, value); err != nil {
			return err
		}
	}
	return nil
}

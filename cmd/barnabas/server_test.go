package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// slow takes its time to stop.
type slow time.Duration

var errCut = errors.New("cut short")

func (d slow) Stop(ctx context.Context) error {
	select {
	case <-time.After(time.Duration(d)):
		return nil
	case <-ctx.Done():
		return errCut
	}
}

func TestSignalsWhileStopping(t *testing.T) {
	for _, c := range []struct {
		what  string
		after []time.Duration // since the first signal
		want  error
		took  time.Duration
	}{
		{"no other", nil, nil, 5 * time.Second},
		{"one at once", []time.Duration{0}, nil, 5 * time.Second},
		{"several within a second", []time.Duration{0, 100 * time.Millisecond, 999 * time.Millisecond}, nil, 5 * time.Second},
		{"one after a second", []time.Duration{time.Second}, errForced, time.Second},
		{"one at once and one later", []time.Duration{0, 3 * time.Second}, errForced, 3 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			signals := make(chan os.Signal, 2)
			for _, after := range c.after {
				time.AfterFunc(after, func() { signals <- syscall.SIGTERM })
			}
			began := time.Now()
			err := stop(slow(5*time.Second), signals, slog.New(slog.DiscardHandler))
			if took := time.Since(began); err != c.want || took != c.took {
				t.Errorf("%s: %v after %s, want %v after %s", c.what, err, took, c.want, c.took)
			}
		})
	}
}

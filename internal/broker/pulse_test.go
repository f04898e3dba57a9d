package broker

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"barnabas/internal/metadata"
	"barnabas/internal/wire"
)

// A broker that answers on another connection is not asked whether it lives; one that answers no more is, as soon as ever.
func TestAnswersElsewhereArePulses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		peer, err := wire.DialPeer(t.Context(), func(context.Context, string) (net.Conn, error) { return here, nil }, "", "test")
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		r := &roads{watches: map[registered]*wire.Peer{}, logger: slog.New(slog.DiscardHandler)}
		of := &metadata.Broker{ID: 2, Epoch: 7}
		end := r.watchOver(of, peer)
		began := time.Now()
		rested := make(chan time.Duration, 1)
		go func() {
			if ended := peer.AwaitClose(pulseAfter); ended {
				t.Error("the connection has ended")
			}
			rested <- time.Since(began)
		}()
		for range 10 {
			time.Sleep(pulseAfter - time.Millisecond) // the bubble's time
			r.answered(registered{2, 7})
			r.answered(registered{2, 8}) // another process
		}
		if took, want := <-rested, 10*(pulseAfter-time.Millisecond)+pulseAfter; took != want {
			t.Errorf("it is asked after %s, not %s", took, want)
		}
		end()
		began = time.Now()
		go func() {
			peer.AwaitClose(pulseAfter)
			rested <- time.Since(began)
		}()
		time.Sleep(pulseAfter / 2) // the bubble's time
		r.answered(registered{2, 7})
		if took := <-rested; took != pulseAfter {
			t.Errorf("a watch that has ended goes on for %s", took)
		}
	})
}

// What is heard while a question is under way does not shorten the time for its answer.
func TestQuestionsKeepTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		go func() { // it takes the question, and is silent
			frame := make([]byte, 1<<10)
			for {
				if _, err := there.Read(frame); err != nil {
					return
				}
			}
		}()
		peer, err := wire.DialPeer(t.Context(), func(context.Context, string) (net.Conn, error) { return here, nil }, "", "test")
		if err != nil {
			t.Fatal(err)
		}
		defer peer.Close()
		time.AfterFunc(pulseAfter/2, func() { peer.Prolong(pulseAfter) })
		began := time.Now()
		if err := (&pulse{pulses: &pulses{}}).ask(peer); !isTimeout(err) || time.Since(began) != pulseWithin {
			t.Errorf("given up after %s: %v", time.Since(began), err)
		}
	})
}

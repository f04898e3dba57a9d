package numbers

import (
	"context"
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// An address that did not answer is left alone for a moment, and then tried again; others are not.
func TestSilentAddressIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tried := map[string]int{}
		m := newMemory(func(ctx context.Context, _, address string) (net.Conn, error) {
			tried[address]++
			if address == "there" {
				near, far := net.Pipe()
				t.Cleanup(func() { far.Close() })
				return near, nil
			}
			<-ctx.Done()
			return nil, ctx.Err()
		})
		dial := func(address string, want error) net.Conn {
			t.Helper()
			conn, err := m.connect(t.Context(), "tcp", address)
			if want == nil && err != nil || want != nil && err == nil {
				t.Fatalf("%s: %v, want %v", address, err, want)
			}
			return conn
		}
		for range 10 {
			dial("vanished", os.ErrDeadlineExceeded)
		}
		if tried["vanished"] != 1 {
			t.Errorf("it was tried %d times", tried["vanished"])
		}
		conn := dial("there", nil)
		time.Sleep(silentFor) // the bubble's time
		dial("vanished", os.ErrDeadlineExceeded)
		if tried["vanished"] != 2 {
			t.Errorf("it was tried %d times, a moment later too", tried["vanished"])
		}
		// One that takes connections and says nothing.
		conn.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		dial("there", os.ErrDeadlineExceeded)
		conn.Close()
	})
}

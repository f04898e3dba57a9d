package world

import (
	"context"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestCloseIsHeardOverALinkThatIsCut: who reads or writes is told that its end was closed, also when that happens while it looks, and
// nothing else will ever happen on the connection.
func TestCloseIsHeardOverALinkThatIsCut(t *testing.T) {
	const here, there = "10.0.0.1", "10.0.0.2"
	var looking sync.WaitGroup
	for range 2000 {
		n := NewNetwork(1, time.Millisecond)
		l, err := n.Plug(there).Listen(net.JoinHostPort(there, "9092"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Plug(here).Dial(context.Background(), l.Addr().String()); err != nil {
			t.Fatal(err)
		}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		looking.Go(func() { c.Read(make([]byte, 1)) })
		runtime.Gosched()
		n.Cut(here, there, true) // and whoever reads looks
		c.Close()
	}
	ended := make(chan struct{})
	go func() { looking.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("somebody waits on a connection that was closed")
	}
}

package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// heartbeat is a request that can wait; frame makes one that can't.
func heartbeat(id uint32) []byte {
	b := frame(id)
	b[5], b[7] = 12, 0
	return b
}

func isHeartbeat(frame []byte) bool { return frame[1] == 12 }

// startPatient runs a server to whose connections heartbeats come.
func startPatient(t *testing.T, limits Limits, h HandlerFunc) *Server {
	t.Helper()
	s, _ := serve(t, Options{
		Listeners: []Listener{{Name: "PLAINTEXT", Address: "127.0.0.1:0"}},
		Handler:   h, Limits: limits, MaxQueuedBytes: 1 << 20, Patient: isHeartbeat,
	})
	return s
}

func ask(t *testing.T, c net.Conn, request []byte) {
	t.Helper()
	if _, err := c.Write(request); err != nil {
		t.Fatal(err)
	}
	if got, want := readReply(t, c), binary.BigEndian.Uint32(request[8:]); got != want {
		t.Fatalf("answer %d to %d", got, want)
	}
}

// parked has a connection parked.
func parked(t *testing.T, s *Server, c net.Conn) {
	t.Helper()
	calmly(t, c)
	until(t, func() bool { return s.parkedNow() > 0 })
}

// calmly sends what it takes to be parked.
func calmly(t *testing.T, clients ...net.Conn) {
	t.Helper()
	for id := range uint32(leastBeforePark) {
		time.Sleep(leastCalm + leastCalm/10)
		for _, c := range clients {
			ask(t, c, heartbeat(id))
		}
	}
}

func (s *Server) parkedNow() int {
	l := s.patientLane.Load()
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.parked)
}

// slowly answers from another goroutine.
func slowly(x *Exchange) {
	x.Keep()
	go x.Reply(answer(x.Frame()))
}

// A client that asks again at once is not kept in the lane, nor brought into it.
func TestHastyClientsAreNotParked(t *testing.T) {
	s := startPatient(t, Limits{}, slowly)
	hasty, c := dial(t, s), dial(t, s)
	for id := range uint32(100) {
		ask(t, hasty, heartbeat(id))
	}
	if n := s.parkedNow(); n != 0 {
		t.Fatalf("%d are parked", n)
	}
	parked(t, s, c)
	for id := range uint32(2 * leastBeforePark) {
		ask(t, c, heartbeat(id))
	}
	until(t, func() bool { return s.parkedNow() == 0 })
	ask(t, c, heartbeat(1))
}

// While the lane is busy, what comes wakes nobody; what has come is told of when it is so no more.
func TestTheGateOfABusyLaneIsClosed(t *testing.T) {
	l, err := newLane(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[0])
	defer unix.Close(ends[1])
	if err := l.poll.control(unix.EPOLL_CTL_ADD, ends[0], eventOf(1)); err != nil {
		t.Fatal(err)
	}
	tells := func() bool {
		t.Helper()
		told := []unix.PollFd{{Events: unix.POLLIN}}
		_ = l.gate.raw.Control(func(fd uintptr) { told[0].Fd = int32(fd) })
		n, err := unix.Poll(told, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
	if tells() {
		t.Error("the gate tells of something, and nothing has come")
	}
	for _, busy := range []bool{true, false, true, false} {
		if err := l.turn(busy); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(ends[1], []byte{1}); err != nil {
			t.Fatal(err)
		}
		if tells() == busy {
			t.Errorf("busy %t, and the gate tells of what has come: %t", busy, !busy)
		}
	}
}

// Connections on which only heartbeats come have no goroutines; each answer comes, in order, while others come and go, and whoever asks something
// else is answered too.
func TestPatientConnectionsHaveNoGoroutines(t *testing.T) {
	const clients, rounds = 200, 50
	s := startPatient(t, Limits{}, slowly)
	before := runtime.NumGoroutine()
	var all []net.Conn
	for range clients {
		all = append(all, dial(t, s))
	}
	calmly(t, all...)
	until(t, func() bool { return s.parkedNow() == clients })
	until(t, func() bool { return runtime.NumGoroutine() < before+clients/10 })
	var working sync.WaitGroup
	for i, c := range all {
		working.Go(func() {
			for id := range uint32(rounds) {
				request := heartbeat(id)
				if i%10 == 0 && id%7 == 3 {
					request = frame(id)
				}
				if _, err := c.Write(request); err != nil {
					t.Error(err)
					return
				}
				var reply [14]byte
				if _, err := io.ReadFull(c, reply[:10+4]); err != nil {
					t.Error(err)
					return
				}
				if got := binary.BigEndian.Uint32(reply[4:]); got != id {
					t.Errorf("answer %d to %d", got, id)
					return
				}
			}
		})
	}
	working.Wait()
	for _, c := range all {
		c.Close()
	}
	until(t, func() bool { return s.Connections() == 0 })
	if n := s.parkedNow(); n != 0 {
		t.Errorf("%d are parked still", n)
	}
}

// Requests that come together, in pieces, or with others behind them.
func TestParkedFramesInPieces(t *testing.T) {
	s := startPatient(t, Limits{}, slowly)
	c := dial(t, s)
	for round := range 4 {
		c := dial(t, s)
		parked(t, s, c)
		switch round {
		case 0: // many at once
			var many []byte
			for id := range uint32(20) {
				many = append(many, heartbeat(100+id)...)
			}
			if _, err := c.Write(many); err != nil {
				t.Fatal(err)
			}
			for id := range uint32(20) {
				if got := readReply(t, c); got != 100+id {
					t.Fatalf("answer %d to %d", got, 100+id)
				}
			}
		case 1: // byte for byte
			for _, b := range heartbeat(7) {
				if _, err := c.Write([]byte{b}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond)
			}
			if got := readReply(t, c); got != 7 {
				t.Fatalf("answer %d", got)
			}
		case 2: // another request and the beginning of a third behind it, before the first is answered
			third := heartbeat(10)
			if _, err := c.Write(append(append(heartbeat(8), frame(9)...), third[:5]...)); err != nil {
				t.Fatal(err)
			}
			if got := readReply(t, c); got != 8 {
				t.Fatalf("answer %d", got)
			}
			if got := readReply(t, c); got != 9 {
				t.Fatalf("answer %d", got)
			}
			if _, err := c.Write(third[5:]); err != nil {
				t.Fatal(err)
			}
			if got := readReply(t, c); got != 10 {
				t.Fatalf("answer %d", got)
			}
		case 3: // as much as the lane reads at once, to the byte, and one more
			last := heartbeat(11)
			long := append(last[:len(last):len(last)], make([]byte, inputBytes-len(last))...)
			binary.BigEndian.PutUint32(long, uint32(len(long)-sizeBytes))
			if _, err := c.Write(append(long, heartbeat(12)...)); err != nil {
				t.Fatal(err)
			}
			for id := range uint32(2) {
				if got := readReply(t, c); got != 11+id {
					t.Fatalf("answer %d to %d", got, 11+id)
				}
			}
		}
	}
	ask(t, c, frame(1))
}

// A connection that is parked ends as others do: it is told that the server stops, is closed when it is idle or its client goes, and for bad bytes.
func TestParkedConnectionsEnd(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		s := startPatient(t, Limits{MaxIdle: 100 * time.Millisecond}, slowly)
		c := dial(t, s)
		parked(t, s, c)
		if _, err := c.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read says %v", err)
		}
		until(t, func() bool { return s.Connections() == 0 && s.parkedNow() == 0 })
	})
	t.Run("client gone", func(t *testing.T) {
		s := startPatient(t, Limits{}, slowly)
		c := dial(t, s)
		parked(t, s, c)
		c.Close()
		until(t, func() bool { return s.Connections() == 0 && s.parkedNow() == 0 })
	})
	t.Run("client gone with its last request", func(t *testing.T) {
		for range 10 {
			s := startPatient(t, Limits{}, func(x *Exchange) { x.Reply(answer(x.Frame())) }) // what is not answered when a client goes is dropped, parked or not
			c := dial(t, s)
			parked(t, s, c)
			if _, err := c.Write(heartbeat(5)); err != nil {
				t.Fatal(err)
			}
			if err := c.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if got := readReply(t, c); got != 5 {
				t.Errorf("answer %d", got)
			}
			until(t, func() bool { return s.Connections() == 0 && s.parkedNow() == 0 })
		}
	})
	t.Run("garbage", func(t *testing.T) {
		s := startPatient(t, Limits{MaxRequestBytes: 1 << 20}, slowly)
		c := dial(t, s)
		parked(t, s, c)
		if _, err := c.Write(bytes.Repeat([]byte{0x7f}, 100)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("garbage is answered")
		}
		until(t, func() bool { return s.Connections() == 0 })
	})
	t.Run("stop", func(t *testing.T) {
		var held atomic.Pointer[Exchange]
		s := startPatient(t, Limits{}, func(x *Exchange) {
			if x.Frame()[7] == 99 { // the correlation id
				x.Keep()
				held.Store(x)
				return
			}
			slowly(x)
		})
		idle, waiting := dial(t, s), dial(t, s)
		parked(t, s, idle)
		parked(t, s, waiting)
		until(t, func() bool { return s.parkedNow() == 2 })
		if _, err := waiting.Write(heartbeat(99)); err != nil {
			t.Fatal(err)
		}
		until(t, func() bool { return held.Load() != nil })
		stopped := make(chan error)
		go func() { stopped <- s.Stop(t.Context()) }()
		if _, err := idle.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("the idle one reads %v", err)
		}
		held.Load().Reply(answer(held.Load().Frame()))
		if got := readReply(t, waiting); got != 99 {
			t.Errorf("answer %d", got)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

// A client that asks and never reads is cut off in the end, and until then neither it nor its answers keep others waiting.
func TestParkedClientThatNeverReads(t *testing.T) {
	big := bytes.Repeat([]byte{'x'}, 1000)
	s := startPatient(t, Limits{SendBufferBytes: 4 << 10, MaxInFlight: 8}, func(x *Exchange) {
		x.Keep()
		go func() {
			r := answer(x.Frame())
			r.Append(func(b []byte) []byte { return append(b, big...) })
			x.Reply(r.End())
		}()
	})
	deaf, other := dial(t, s), dial(t, s)
	deaf.(*net.TCPConn).SetReadBuffer(4 << 10)
	parked(t, s, deaf)
	parked(t, s, other)
	until(t, func() bool { return s.parkedNow() == 2 })
	var asked atomic.Int64
	blocked := make(chan error, 1)
	go func() {
		var err error
		for ; err == nil; asked.Add(1) {
			_, err = deaf.Write(heartbeat(0))
		}
		blocked <- err
	}()
	for before := int64(-1); before != asked.Load(); time.Sleep(200 * time.Millisecond) { // nothing more is read of it
		before = asked.Load()
	}
	for id := range uint32(20) {
		ask(t, other, heartbeat(id))
	}
	until(t, func() bool {
		var waiting []*conn
		s.mu.Lock()
		for c := range s.conns {
			if c.writeUntil.Load() != 0 {
				waiting = append(waiting, c)
			}
		}
		s.mu.Unlock()
		if len(waiting) == 1 { // the other one's last answer is over
			waiting[0].writeUntil.Store(1) // and so is the time for this one's
			s.sweepOnce()
		}
		return len(blocked) > 0
	})
	if err := <-blocked; errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("it was never cut off")
	}
	ask(t, other, heartbeat(1000))
}

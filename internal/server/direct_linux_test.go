//go:build linux && !race

package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// pair are the two ends of a connection, the first of them direct.
func pair(t *testing.T) (d *direct, peer *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dialed, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dialed.Close(); accepted.Close() })
	return asDirect(accepted).(*direct), dialed.(*net.TCPConn)
}

func TestDirectReads(t *testing.T) {
	d, peer := pair(t)
	go func() {
		_, _ = peer.Write([]byte("request"))
		peer.CloseWrite()
	}()
	got, err := io.ReadAll(io.LimitReader(d, 1<<20))
	if string(got) != "request" || err != nil {
		t.Fatalf("read %q, %v", got, err)
	}
	if n, err := d.Read(make([]byte, 10)); n != 0 || err != io.EOF {
		t.Fatalf("after the end %d bytes, %v", n, err)
	}
}

// TestDirectWritesAll writes in small pieces what the socket does not take at once.
func TestDirectWritesAll(t *testing.T) {
	d, peer := pair(t)
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	received := make(chan []byte)
	go func() {
		got, _ := io.ReadAll(peer)
		received <- got
	}()
	for rest := want; len(rest) > 0; {
		piece := rest[:min(len(rest), rawBytes)]
		if n, err := d.Write(piece); n != len(piece) || err != nil {
			t.Fatalf("wrote %d of %d, %v", n, len(piece), err)
		}
		rest = rest[len(piece):]
	}
	d.Close()
	if got := <-received; !bytes.Equal(got, want) {
		t.Fatalf("%d bytes have come of %d, or others", len(got), len(want))
	}
}

// TestDirectWaits: what can't be done at once waits, until it can, until the deadline or until the end.
func TestDirectWaits(t *testing.T) {
	d, peer := pair(t)
	d.SetReadDeadline(time.Unix(1, 0))
	if _, err := d.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("past its deadline a read says %v", err)
	}
	d.SetReadDeadline(time.Time{})
	ended := make(chan error)
	go func() {
		for {
			if _, err := d.Write(make([]byte, rawBytes)); err != nil {
				ended <- err
				return
			}
		}
	}()
	if _, err := io.CopyN(io.Discard, peer, 64<<20); err != nil { // more than the kernel keeps for both
		t.Fatal(err)
	}
	d.SetWriteDeadline(time.Unix(1, 0))
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("past its deadline a write says %v", err)
	}
	go func() {
		_, err := d.Read(make([]byte, 1))
		ended <- err
	}()
	d.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Fatalf("a read of a closed connection says %v", err)
	}
}

func TestDirectTellsOfAReset(t *testing.T) {
	d, peer := pair(t)
	if err := peer.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	if _, err := d.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) || !isUsual(err) {
		t.Fatalf("a read of a connection that was reset says %v", err)
	}
	if _, err := d.Write([]byte("answer")); !errors.Is(err, syscall.EPIPE) || !isUsual(err) {
		t.Fatalf("a write to one says %v", err)
	}
}

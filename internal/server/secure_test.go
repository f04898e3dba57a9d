package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"barnabas/internal/wire"
	"barnabas/test/certificates"
)

// startTLS runs a server with a listener that speaks TLS, and returns what a client needs.
func startTLS(t *testing.T, o Options) (*Server, *logged, *tls.Config) {
	t.Helper()
	ca := certificates.NewAuthority(t, "CA")
	o.Listeners = []Listener{{
		Name: "PLAINTEXT", Address: "127.0.0.1:0",
		TLS: &tls.Config{Certificates: []tls.Certificate{ca.Issue("b", "localhost").TLS()}},
	}}
	s, lines := serve(t, o)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Certificate())
	return s, lines, &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

func TestTLS(t *testing.T) {
	s, _, config := startTLS(t, Options{Handler: HandlerFunc(echo)})
	c := tls.Client(dial(t, s), config)
	for id := range uint32(3) {
		if _, err := c.Write(frame(id)); err != nil {
			t.Fatal(err)
		}
		if got := readReply(t, c); got != id {
			t.Errorf("the answer to %d is that to %d", id, got)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the end is not told as TLS tells it: %v", err)
	}
}

type rangeFile struct{ *os.File }

func (f rangeFile) OS() *os.File { return f.File }

// TestTLSSendsFiles: ranges of files come through whole, whatever their length and what is around them.
func TestTLSSendsFiles(t *testing.T) {
	content := make([]byte, 300_000)
	for i := range content {
		content[i] = byte(i * 7 >> 3)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lengths := []int{0, 1, 1000, 16 << 10, 64<<10 - 1, 64 << 10, 64<<10 + 1, 200_000, 300_000}
	next := 0
	s, _, config := startTLS(t, Options{Handler: HandlerFunc(func(x *Exchange) {
		h, _, err := wire.ParseHeader(x.Frame())
		if err != nil {
			x.Abort(err)
			return
		}
		r := wire.BeginReply(h, false)
		r.Append(func(b []byte) []byte { return append(b, "before"...) })
		r.AppendRange(wire.Range{File: rangeFile{file}, Length: lengths[next]})
		r.Append(func(b []byte) []byte { return append(b, "between"...) })
		r.AppendRange(wire.Range{File: rangeFile{file}, Position: 5, Length: lengths[next] / 2})
		r.Append(func(b []byte) []byte { return append(b, "after"...) })
		next++
		x.Reply(r.End())
	})})
	c := tls.Client(dial(t, s), config)
	for i, n := range lengths {
		if _, err := c.Write(frame(uint32(i))); err != nil {
			t.Fatal(err)
		}
		want := "before" + string(content[:n]) + "between" + string(content[5:5+n/2]) + "after"
		got := make([]byte, 8+len(want))
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if string(got[8:]) != want {
			t.Fatalf("%d bytes come through as others", n)
		}
	}
}

// TestTLSMistakes: who speaks something else is told apart, and named once.
func TestTLSMistakes(t *testing.T) {
	for _, c := range []struct{ sent, want string }{
		{string(frame(1)), "the Kafka protocol without TLS"},
		{"GET / HTTP/1.1\r\n\r\n", "the client speaks HTTP"},
	} {
		s, lines, _ := startTLS(t, Options{Handler: HandlerFunc(echo)})
		for range 3 {
			conn := dial(t, s)
			if _, err := conn.Write([]byte(c.sent)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Fatal(err)
			}
		}
		until(t, func() bool { return s.Connections() == 0 && strings.Contains(lines.String(), c.want) })
		if n := strings.Count(lines.String(), "level=WARN"); n != 1 {
			t.Errorf("it is named %d times:\n%s", n, lines)
		}
	}
}

func TestClientThatDoesNotTrust(t *testing.T) {
	s, lines, _ := startTLS(t, Options{Handler: HandlerFunc(echo)})
	c := tls.Client(dial(t, s), &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "localhost"})
	if c.Handshake() == nil {
		t.Fatal("it trusts")
	}
	until(t, func() bool { return strings.Contains(lines.String(), "does not accept this listener's certificate") })
}

// TestHandshakesHaveAnEnd: a client that never begins is closed, and so is one that waits for the turn that the first has.
func TestHandshakesHaveAnEnd(t *testing.T) {
	s, lines, config := startTLS(t, Options{Handler: HandlerFunc(echo), HandshakeTimeout: 200 * time.Millisecond, MaxHandshakes: 1})
	silent := []net.Conn{dial(t, s), dial(t, s)}
	for _, c := range silent {
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("it is not closed: %v", err)
		}
	}
	until(t, func() bool { return strings.Contains(lines.String(), "barnabas.ssl.handshake") && s.Connections() == 0 })
	c := tls.Client(dial(t, s), config) // and then there is room
	for c.Handshake() != nil {          // unless this machine is slower than the time for it
		if t.Context().Err() != nil {
			t.Fatal("no turn")
		}
		c = tls.Client(dial(t, s), config)
	}
}

func TestMistakesAreBounded(t *testing.T) {
	var m mistakes
	address := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	for i := range maxMistakes {
		if !m.isNews("L", address(i), 0) || m.isNews("L", address(i), time.Second) {
			t.Fatal(i)
		}
	}
	if m.isNews("L", address(maxMistakes), time.Second) || len(m.named) != maxMistakes {
		t.Error("there is no bound")
	}
	if !m.isNews("L", address(maxMistakes), nameAgain) || len(m.named) != 1 {
		t.Errorf("nobody is forgotten: %d", len(m.named))
	}
}

// BenchmarkTLSFetch sends a mebibyte of a file for each request.
func BenchmarkTLSFetch(b *testing.B) {
	ca := certificates.NewAuthority(b, "CA")
	path := filepath.Join(b.TempDir(), "file")
	const size = 1 << 20
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		b.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	s, err := Listen(Options{
		Listeners: []Listener{{Name: "PLAINTEXT", Address: "127.0.0.1:0", TLS: &tls.Config{
			Certificates: []tls.Certificate{ca.Issue("b", "localhost").TLS()}, DynamicRecordSizingDisabled: true}}},
		Logger: slog.New(slog.DiscardHandler),
		Handler: HandlerFunc(func(x *Exchange) {
			h, _, _ := wire.ParseHeader(x.Frame())
			r := wire.BeginReply(h, false)
			r.AppendRange(wire.Range{File: rangeFile{file}, Length: size})
			x.Reply(r.End())
		}),
	})
	if err != nil {
		b.Fatal(err)
	}
	s.Serve()
	defer s.Stop(context.Background())
	conn, err := net.Dial("tcp", s.Address("PLAINTEXT").String())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	into := make([]byte, size+8)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(frame(1)); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, into); err != nil {
			b.Fatal(fmt.Errorf("read: %w", err))
		}
	}
}

package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"barnabas/internal/keeper/rollcall"
	"barnabas/test/launch"
)

const memberPatience = time.Minute

// alone starts a member that is configured as the only one.
func alone(t *testing.T, dir string) *Member {
	t.Helper()
	return aloneTelling(t, dir, nil)
}

func aloneTelling(t *testing.T, dir string, tell func(Tiding)) *Member {
	t.Helper()
	m, err := StartMember(MemberOptions{
		Number: 1, Servers: []Server{{Number: 1, Host: "127.0.0.1"}}, Dir: dir, Tick: 10 * time.Millisecond,
		Logger: launch.Log(t), Tell: tell,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopMember(m) })
	awaitReady(t, m)
	return m
}

func stopMember(m *Member) {
	ctx, cancel := context.WithTimeout(context.Background(), memberPatience)
	defer cancel()
	m.Stop(ctx)
}

func awaitReady(t *testing.T, m *Member) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(memberPatience); m.Ready() != nil; <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not ready: %v, %v", m.Ready(), m.Err())
		}
	}
}

// An ensemble of one founds itself, and comes back with what it had.
func TestMemberAlone(t *testing.T) {
	dir := t.TempDir()
	m := alone(t, dir)
	log := m.held()
	if log == nil || !log.Leads() || len(log.Members) != 1 || log.Members[0].Number != 1 {
		t.Fatalf("it holds %+v", log)
	}
	stopMember(m)
	again := alone(t, dir)
	if got := again.held(); got.Ensemble != log.Ensemble || got.Member != log.Member {
		t.Errorf("it came back as %+v, it was %+v", got, log)
	}
}

// etcd's transport is where transportOf looks for it.
func TestTransportIsFound(t *testing.T) {
	m := alone(t, t.TempDir())
	if _, err := transportOf(m.running()); err != nil {
		t.Errorf("%v: a new release of etcd has it elsewhere", err)
	}
}

// What a directory holds is read without a server, as the server had it.
func TestReadLog(t *testing.T) {
	dir := t.TempDir()
	m := alone(t, dir)
	want := m.held()
	stopMember(m)
	got, err := m.directory.readLog()
	if err != nil || got == nil || got.Member != want.Member || got.Ensemble != want.Ensemble || got.Index < want.Index ||
		len(got.Members) != 1 || got.Members[0].Peer != want.Members[0].Peer {
		t.Errorf("read %+v, error %v; it was %+v", got, err, want)
	}
}

func TestDirectoriesThatAreNotTheMembers(t *testing.T) {
	write := func(path, content string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, c := range map[string]struct {
		prepare func(t *testing.T, dir string)
		says    string
	}{
		"another keeper's":  {write("ensemble/identity.json", `{"version":1,"number":2,"ensemble":"a"}`), "is the directory of keeper 2, and this is keeper 1"},
		"a ZooKeeper's":     {write("version-2/log.1", ""), "is the directory of a real ZooKeeper"},
		"an etcd's":         {write("member/snap/db", ""), "is the directory of an etcd"},
		"damaged":           {write("ensemble/identity.json", `{`), "can't be read"},
		"a newer release's": {write("ensemble/identity.json", `{"version":99}`), "was written by a newer release"},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			c.prepare(t, dir)
			_, err := StartMember(MemberOptions{
				Number: 1, Servers: []Server{{Number: 1, Host: "127.0.0.1"}}, Dir: dir, Logger: slog.New(slog.DiscardHandler),
			})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want one that says %q", err, c.says)
			}
		})
	}
}

// A roll-call answers what it can make sense of, closes what it can't, and is bounded.
func TestRollCallOnTheWire(t *testing.T) {
	m := alone(t, t.TempDir())
	address := m.hall.net.Addr().String()
	ctx, cancel := context.WithTimeout(context.Background(), memberPatience)
	defer cancel()
	from := rollcall.Standing{Number: 1, Run: "other", Configured: []int{1}}
	a, err := ask(ctx, address, question{Number: 1, From: from})
	if err != nil || a.Self == nil || a.Self.Number != 1 || !a.Self.Log.Leads() || a.Seen != "127.0.0.1" {
		t.Errorf("answer %+v, error %v", a, err)
	}
	if _, err := ask(ctx, address, question{Number: 7, From: from}); !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "this is keeper 1") {
		t.Errorf("asked for keeper 7: %v", err)
	}
	for _, nonsense := range []string{"\x00\x00\x00\x00", "GET / HTTP/1.1\r\n\r\n", "[1,2", strings.Repeat("x", 1<<10), "{\"v\":99}\n"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, nonsense)
		_ = conn.(*net.TCPConn).CloseWrite()
		var a answer
		if err := readLine(conn, &a); err == nil && a.Refused == "" {
			t.Errorf("%q is answered %+v", nonsense, a)
		}
		conn.Close()
	}
}

func TestWhyTheyAreSilent(t *testing.T) {
	for want, err := range map[string]error{
		"the name zoo2 is not known yet":          &net.OpError{Op: "dial", Err: &net.DNSError{Name: "zoo2", Err: "no such host"}},
		"it does not answer":                      fmt.Errorf("read: %w", context.DeadlineExceeded),
		"closes the connection without an answer": errNoLine,
	} {
		if got := brief(err); got != want {
			t.Errorf("%v is told as %q, want %q", err, got, want)
		}
	}
}

package keeper

import (
	"crypto/tls"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"
)

// linkPatience bounds the wait for what takes some two seconds.
const linkPatience = time.Minute

// TestSuspendedKeepersAreCut connects to a process that takes connections, as the kernel does for one that is suspended,
// and says nothing.
func TestSuspendedKeepersAreCut(t *testing.T) {
	t.Parallel()
	for name, doubt := range map[string]func(*links, net.Conn){
		"after a call without an answer": func(_ *links, c net.Conn) { c.Write([]byte("a call")) },
		"when somebody suspects it":      func(l *links, _ net.Conn) { l.Suspect() },
	} {
		for protocol, config := range map[string]*tls.Config{"": nil, " by TLS": {}} {
			t.Run(name+protocol, func(t *testing.T) {
				t.Parallel()
				server := listenAnywhere(t)
				links := linksOf(t, config)
				conn, err := links.dial(t.Context(), server.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				doubt(links, conn)
				conn.SetReadDeadline(time.Now().Add(linkPatience))
				if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
					t.Errorf("the connection is there still: %v", err)
				}
			})
		}
	}
}

// TestSlowKeepersAreKept has a keeper owe an answer for longer than a suspended one would be waited for, and speak with others
// meanwhile.
func TestSlowKeepersAreKept(t *testing.T) {
	t.Parallel()
	server := listenAnywhere(t)
	links := linksOf(t, nil)
	links.within = linkPatience
	conn, err := links.dial(t.Context(), server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	slow, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	conn.Write([]byte("a call"))
	question, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	links.mu.Lock()
	if !conn.(*link).asked {
		t.Error("there is a question, and nobody asks")
	}
	links.mu.Unlock()
	question.Write([]byte("a word"))
	links.asking.Wait()
	question.Close()
	slow.Write([]byte("!"))
	conn.SetReadDeadline(time.Now().Add(linkPatience))
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

// TestNobodyAsksAfterTheEnd has a client end while its links are suspected: nobody asks any more then, nor begins to. Under -race
// it also shows that the end and a beginning do not meet.
func TestNobodyAsksAfterTheEnd(t *testing.T) {
	t.Parallel()
	for range 100 {
		server := listenAnywhere(t)
		links := linksOf(t, nil)
		conn, err := links.dial(t.Context(), server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		server.Close() // who asks is refused at once
		var suspecting sync.WaitGroup
		suspecting.Go(links.Suspect)
		links.close()
		suspecting.Wait()
		links.mu.Lock()
		if conn.(*link).asked {
			t.Error("somebody asks after the end")
		}
		links.mu.Unlock()
		conn.Close()
	}
}

func listenAnywhere(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func linksOf(t *testing.T, config *tls.Config) *links {
	t.Helper()
	l := newLinks(Remote{TLS: config, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(l.close)
	return l
}

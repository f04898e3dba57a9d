package keeper_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"barnabas/internal/keeper"
)

type quiet struct{}

func (quiet) Printf(string, ...any) {}

func zooClient(t testing.TB, k *keeper.Keeper) *zk.Conn {
	t.Helper()
	c, _, err := zk.Connect([]string{k.Addr()}, 30*time.Second, zk.WithLogger(quiet{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// A ZooKeeper client and the metadata's own share the port and the engine.
func TestZooKeeperThroughTheKeepersPort(t *testing.T) {
	k := start(t, keeper.Options{Dir: t.TempDir(), Listener: "127.0.0.1:0"})
	c := zooClient(t, k)
	open := zk.WorldACL(zk.PermAll)
	if _, err := c.Create("/a", []byte("x"), 0, open); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Create("/a", nil, 0, open); !errors.Is(err, zk.ErrNodeExists) {
		t.Errorf("created twice: %v", err)
	}
	conn, err := net.Dial("tcp", k.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "srvr"); err != nil {
		t.Fatal(err)
	}
	if answer, _ := io.ReadAll(conn); !strings.Contains(string(answer), "Mode: standalone\nNode count: 5\n") {
		t.Errorf("srvr is answered %q", answer)
	}
	if text := keeper.RealZooKeeper(bounded(t), []string{k.Addr()}); text != "" {
		t.Errorf("the keeper is taken for a real ZooKeeper: %s", text)
	}
	if _, _, err := dial(t, k).Get(bounded(t), "anything"); err != nil {
		t.Errorf("the metadata's own client: %v", err)
	}
}

// said is a log that a test reads.
type said struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(b)
}

func (s *said) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.buf.String(), text)
}

// What comes to the keeper's port by mistake is named in the log, and the port goes on.
func TestWhatIsNotForTheKeepersPort(t *testing.T) {
	log := &said{}
	k, err := keeper.Start(keeper.Options{Dir: t.TempDir(), Listener: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Stop)
	if err := k.Ready(bounded(t)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, bytes, line string }{
		{"Kafka's ApiVersions", "\x00\x00\x00\x0d\x00\x12\x00\x00\x00\x00\x00\x01\x00\x03abc", "Kafka's is spoken at a broker's port"},
		{"a packet of 2 GiB", "\x7f\xff\xff\xff", "2147483647 bytes, of at most 1048575"},
		{"ruok", "ruok", ""},
	} {
		conn, err := net.Dial("tcp", k.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, c.bytes); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || c.line != "" && (len(answer) > 0 || !log.has(c.line)) || c.line == "" && string(answer) != "imok" {
			t.Errorf("%s is answered %q, %v; the log has its line: %v", c.name, answer, err, log.has(c.line))
		}
	}
	if _, _, err := zooClient(t, k).Exists("/"); err != nil {
		t.Error(err)
	}
}

// BenchmarkZooKeeper is reads and writes of many clients through a keeper's port.
func BenchmarkZooKeeper(b *testing.B) {
	k := start(b, keeper.Options{Dir: b.TempDir(), Listener: "127.0.0.1:0"})
	const clients, parallel = 8, 16
	var conns []*zk.Conn
	for range clients {
		conns = append(conns, zooClient(b, k))
	}
	if _, err := conns[0].Create("/bench", make([]byte, 100), 0, zk.WorldACL(zk.PermAll)); err != nil {
		b.Fatal(err)
	}
	for i, c := range conns {
		if _, err := c.Create(fmt.Sprintf("/bench/%d", i), nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
			b.Fatal(err)
		}
	}
	for _, kind := range []struct {
		name string
		do   func(c *zk.Conn, i int) error
	}{
		{"read", func(c *zk.Conn, _ int) error { _, _, err := c.Get("/bench"); return err }},
		{"write", func(c *zk.Conn, i int) error {
			_, err := c.Set(fmt.Sprintf("/bench/%d", i), make([]byte, 100), -1)
			return err
		}},
		{"create", func(c *zk.Conn, _ int) error {
			_, err := c.Create("/bench/n-", nil, zk.FlagSequence, zk.WorldACL(zk.PermAll))
			return err
		}},
	} {
		b.Run(kind.name, func(b *testing.B) {
			var wg sync.WaitGroup
			for i, c := range conns {
				for range parallel {
					wg.Go(func() {
						for range b.N/(clients*parallel) + 1 {
							if err := kind.do(c, i); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
		})
	}
}

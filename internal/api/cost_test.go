//go:build linux && !race

package api

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"barnabas/internal/server"
	"barnabas/internal/vfs"
	"barnabas/test/launch"

	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"
)

// What a request may cost at most, from socket to file and back: counts, which no busy machine changes. Whoever makes them
// less lowers them here; whoever needs more says why. The race detector allocates of its own, and is not asked.
const (
	produceAllocations = 0
	produceReads       = 2 // the frame, and perhaps another look that finds nothing and waits
	produceWrites      = 2 // the log, the answer

	fetchAllocations = 0
	fetchReads       = 5 // as above, the log's headers, the records
	fetchWrites      = 1

	// Of one in a session, at the end of the log, that has nothing to tell.
	sessionAllocations = 0
	sessionReads       = 2
	sessionWrites      = 1
)

const (
	costRequests = 400
	costAttempts = 8 // the least counts: others may allocate, and read and write, beside it
)

// TestCostOfARequest sends requests over a real connection to a server with a log on disk.
func TestCostOfARequest(t *testing.T) {
	broker := newBrokerOn(t, vfs.OS, nil, t.TempDir())
	id := broker.createTopic(t, "orders", 1, nil)
	address := serve(t, broker)

	produce := produceTo("orders", 0, -1, batchOf(t, string(make([]byte, 100))))
	produce.Topics[0].TopicID = id
	c := newCostClient(t, address, 13, produce)
	c.within(t, "Produce", cost{produceAllocations, produceReads, produceWrites})

	fetch := fetchFrom("orders", id, 0, 3)
	fetch.Topics[0].Partitions[0].PartitionMaxBytes = 300 // an answer that is read at once
	c = newCostClient(t, address, 13, fetch)
	c.within(t, "Fetch", cost{fetchAllocations, fetchReads, fetchWrites})

	c = newSessionClient(t, address, fetch)
	c.within(t, "Fetch in a session", cost{sessionAllocations, sessionReads, sessionWrites})
}

// newSessionClient begins a fetch session and goes on in it, one epoch after another.
func newSessionClient(t *testing.T, address string, fetch *kmsg.FetchRequest) *costClient {
	t.Helper()
	fetch.MinBytes, fetch.SessionEpoch = 0, initialEpoch
	c := newCostClient(t, address, 13, fetch)
	_, err := c.turn()
	must(t, err)
	var begun kmsg.FetchResponse
	begun.Version = 13
	must(t, begun.ReadFrom(c.reply[9:])) // size, correlation id, no tags
	if begun.SessionID == noSession {
		t.Fatalf("no session: %+v", begun)
	}
	goesOn := kmsg.NewPtrFetchRequest()
	goesOn.Version, goesOn.SessionID, goesOn.MaxBytes = 13, begun.SessionID, fetch.MaxBytes
	p := fetch.Topics[0].Partitions[0]
	p.FetchOffset = begun.Topics[0].Partitions[0].HighWatermark
	goesOn.Topics = []kmsg.FetchRequestTopic{{TopicID: fetch.Topics[0].TopicID, Partitions: []kmsg.FetchRequestTopicPartition{p}}}
	formatter := kmsg.NewRequestFormatter(kmsg.FormatterClientID("cost"))
	c.frame = formatter.AppendRequest(nil, goesOn, 5)
	const header, beforeEpoch = 4 + 8 + 2 + len("cost") + 1, 4 + 4 + 4 + 4 + 1 + 4
	epoch := c.frame[header+beforeEpoch:][:4]
	c.next = func() { binary.BigEndian.PutUint32(epoch, binary.BigEndian.Uint32(epoch)+1) }
	binary.BigEndian.PutUint32(epoch, 0)
	return c
}

// serve puts a server before the API, on a real socket.
func serve(t *testing.T, broker *memoryBroker) string {
	t.Helper()
	s, err := server.Listen(server.Options{
		Listeners: []server.Listener{{Name: listenerName, Address: "127.0.0.1:0"}},
		Handler:   server.HandlerFunc(func(x *server.Exchange) { broker.Handle(x) }),
		Logger:    slog.New(slog.DiscardHandler),
	})
	must(t, err)
	s.Serve()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		must(t, s.Stop(ctx))
	})
	return s.Address(listenerName).String()
}

// cost is that of one request.
type cost struct{ allocations, reads, writes float64 }

// costClient sends one frame again and again, by a write and a read each and without an allocation.
type costClient struct {
	fd    int
	frame []byte
	reply []byte
	next  func() // changes the frame before it is sent
}

func newCostClient(t *testing.T, address string, version int16, request kmsg.Request) *costClient {
	t.Helper()
	to, err := net.ResolveTCPAddr("tcp4", address)
	must(t, err)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	must(t, unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}))
	must(t, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	request.SetVersion(version)
	formatter := kmsg.NewRequestFormatter(kmsg.FormatterClientID("cost"))
	return &costClient{fd, formatter.AppendRequest(nil, request, 5), make([]byte, 64<<10), func() {}}
}

// turn is one request. The answer is small and comes whole, or is read on.
func (c *costClient) turn() (reads int, err error) {
	c.next()
	if _, err := unix.Write(c.fd, c.frame); err != nil {
		return 0, err
	}
	for have, want := 0, 4; have < want; {
		n, err := unix.Read(c.fd, c.reply[have:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return reads, fmt.Errorf("no answer: %w", err)
		}
		reads++
		if have += n; have >= 4 {
			want = 4 + int(binary.BigEndian.Uint32(c.reply))
		}
	}
	return reads, nil
}

// measure is the cost of a request to the server, the mean of many.
func (c *costClient) measure(t *testing.T) cost {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	readsBefore, writesBefore := systemCalls(t)
	own := 0
	for range costRequests {
		reads, err := c.turn()
		must(t, err)
		own += reads
	}
	readsAfter, writesAfter := systemCalls(t)
	runtime.ReadMemStats(&after)
	return cost{
		float64(after.Mallocs-before.Mallocs) / costRequests,
		float64(readsAfter-readsBefore-own) / costRequests,
		float64(writesAfter-writesBefore-costRequests) / costRequests,
	}
}

// within takes the least of several measurements, each count by itself.
func (c *costClient) within(t *testing.T, what string, most cost) {
	t.Helper()
	const slack = 0.5 // of what is done once for many requests
	least := c.measure(t)
	for range costAttempts {
		m := c.measure(t)
		least = cost{
			min(least.allocations, m.allocations), min(least.reads, m.reads), min(least.writes, m.writes),
		}
	}
	t.Logf("%s: %.2f allocations, %.2f reads, %.2f writes", what, least.allocations, least.reads, least.writes)
	if least.allocations > most.allocations+slack || least.reads > most.reads+slack || least.writes > most.writes+slack {
		t.Errorf("%s costs %+v, more than %+v", what, least, most)
	}
}

// systemCalls are how many times the process has read and written, sockets and files: sendfile counts as both.
func systemCalls(t *testing.T) (reads, writes int) {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/io")
	if err != nil {
		launch.Cannot(t, "this kernel does not count system calls: %v", err)
	}
	for line := range bytes.Lines(raw) {
		name, value, _ := strings.Cut(strings.TrimSpace(string(line)), ": ")
		n, err := strconv.Atoi(value)
		must(t, err)
		switch name {
		case "syscr":
			reads = n
		case "syscw":
			writes = n
		}
	}
	return reads, writes
}

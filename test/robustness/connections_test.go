package robustness

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/test/launch"
)

// Ten thousand connections: a bound for each address, one over all, and what they cost.
func TestTenThousandConnections(t *testing.T) {
	const perAddress, all = 1000, 10000
	const backlog = 40 // fewer than the kernel keeps for the broker: it would drop one more, which is tried again a second later
	raiseDescriptors(t, all+1000)
	b := start(t, fmt.Sprintf("max.connections.per.ip=%d", perAddress), fmt.Sprintf("max.connections=%d", all),
		"max.connections.per.ip.overrides=127.0.0.1:5000")
	before := b.memory(t)
	b.resetPeak(t)
	var peers []*peer
	question := kmsg.NewPtrApiVersionsRequest()
	for address := 0; len(peers) < all; address++ {
		from := fmt.Sprintf("127.0.1.%d", address+1)
		for i := range min(perAddress, all-len(peers)) {
			peers = append(peers, dialFrom(t, b.address, from))
			if i%backlog == backlog-1 {
				peers[len(peers)-1].call(question, 0) // all of them are accepted, since this one is
			}
		}
		if len(peers) == all {
			break
		}
		over := dialFrom(t, b.address, from)
		over.mustBeClosed("one more from " + from)
	}
	for i := 0; i < len(peers); i += 97 {
		peers[i].call(question, 0)
	}
	late := dialFrom(t, b.address, "127.0.2.1")
	late.sent++
	late.write(frame(question, 0, late.sent))
	late.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := late.conn.Read(make([]byte, 1)); n != 0 || !isTimeout(err) {
		t.Errorf("one more than all: %d bytes, %v", n, err)
	}
	b.mustStayWithin(t, before, all*(10<<10))
	for _, p := range peers[:100] {
		p.conn.Close()
	}
	if _, err := late.answer(question); err != nil {
		t.Errorf("one that waited until others had gone: %v", err)
	}
	for _, p := range peers {
		p.conn.Close()
	}
	b.mustServe(t)
	const refused = "connection refused: too many from its address"
	b.await(t, "tell of nine refusals", func() bool { return strings.Count(b.output.String(), refused) == 9 })
}

func isTimeout(err error) bool {
	var network net.Error
	return errors.As(err, &network) && network.Timeout()
}

// dialFrom connects from an address of this machine.
func dialFrom(t *testing.T, address, from string) *peer {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	conn, err := dialer.Dial("tcp", address)
	if errors.Is(err, syscall.EADDRNOTAVAIL) {
		launch.Cannot(t, "this machine has no address %s", from)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &peer{t: t, conn: conn}
}

// raiseDescriptors lets this process, and the brokers that it starts, open so many files.
func raiseDescriptors(t *testing.T, want uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur >= want && limit.Max >= want {
		return
	}
	raised := syscall.Rlimit{Cur: max(limit.Cur, want), Max: max(limit.Max, want)}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised); err != nil {
		launch.Cannot(t, "%d open files are needed, %d allowed: %v", want, limit.Max, err)
	}
}

package robustness

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Clients that ask and ask and never read an answer cost a bounded amount of memory, and neither hold up others nor a stop.
func TestClientNeverReads(t *testing.T) {
	b := start(t, "num.partitions=100")
	b.mustCreateTopic(t, "large", "max.message.bytes", "2000000")
	p := dial(t, b.address)
	for range 20 {
		if got := p.producePartition("large", plain(strings.Repeat("x", 1<<20)).bytes()); got.ErrorCode != 0 {
			t.Fatalf("produce: code %d", got.ErrorCode)
		}
	}
	for _, topic := range []string{"wide-1", "wide-2", "wide-3"} { // for large answers about metadata
		if err := b.produce(topic, "made"); err != nil {
			t.Fatal(err)
		}
	}
	before := b.memory(t)
	b.resetPeak(t)
	const clients = 40
	for i := range clients {
		request, version := kmsg.Request(fetchRequest("large", 0)), int16(12)
		if i%2 == 1 {
			request, version = kmsg.NewPtrMetadataRequest(), 12
		}
		floodWithout(t, b.address, frame(request, version, 1))
	}
	for range 5 {
		b.mustServe(t)
	}
	b.mustStayWithin(t, before, 64<<20)
	if code := b.stop(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// floodWithout sends requests as fast as they are taken, without reading, until the broker takes no more.
func floodWithout(t *testing.T, address string, request []byte) {
	t.Helper()
	p := dial(t, address)
	p.conn.(*net.TCPConn).SetReadBuffer(4096)
	many := strings.NewReader(strings.Repeat(string(request), 1000))
	p.conn.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	for {
		if _, err := io.Copy(p.conn, many); err != nil {
			break
		}
		many.Seek(0, io.SeekStart)
	}
}

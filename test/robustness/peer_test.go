package robustness

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// peer is a connection whose every byte the test decides.
type peer struct {
	t    *testing.T
	conn net.Conn
	sent int32 // correlation id of the last request
}

func dial(t *testing.T, address string) *peer {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &peer{t: t, conn: conn}
}

// formatter writes requests as a client with a name does.
var formatter = kmsg.NewRequestFormatter(kmsg.FormatterClientID("robustness"))

// frame is a request in a version, with its size in front.
func frame(request kmsg.Request, version int16, correlation int32) []byte {
	request.SetVersion(version)
	return formatter.AppendRequest(nil, request, correlation)
}

// sized puts a size in front of bytes.
func sized(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// write sends bytes; the broker may have closed already.
func (p *peer) write(b []byte) {
	p.conn.SetWriteDeadline(time.Now().Add(patience))
	p.conn.Write(b)
}

// call sends a request in a version and returns the answer.
func (p *peer) call(request kmsg.Request, version int16) kmsg.Response {
	p.t.Helper()
	p.sent++
	p.write(frame(request, version, p.sent))
	response, err := p.answer(request)
	if err != nil {
		p.t.Fatalf("key %d version %d: %v", request.Key(), version, err)
	}
	return response
}

// answer reads the answer to a request.
func (p *peer) answer(request kmsg.Request) (kmsg.Response, error) {
	body, err := p.read()
	if err != nil {
		return nil, err
	}
	if got := int32(binary.BigEndian.Uint32(body)); got != p.sent {
		p.t.Fatalf("the answer is to request %d, not %d", got, p.sent)
	}
	body = body[4:]
	response := request.ResponseKind()
	if response.IsFlexible() && request.Key() != 18 {
		body = body[1:] // no tagged fields
	}
	return response, response.ReadFrom(body)
}

// read returns the next frame, from its correlation id on.
func (p *peer) read() ([]byte, error) {
	p.conn.SetReadDeadline(time.Now().Add(patience))
	var size [4]byte
	if _, err := io.ReadFull(p.conn, size[:]); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(p.conn, body)
	return body, err
}

// mustBeClosed wants the broker to close the connection without another word.
func (p *peer) mustBeClosed(why string) {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(patience))
	n, err := p.conn.Read(make([]byte, 1))
	if n > 0 || !isClosed(err) {
		p.t.Errorf("%s: the connection is not closed: %d bytes, %v", why, n, err)
	}
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// maxAnswer bounds the frame that a peer may answer with: the largest batch there can be, and what is around it.
const maxAnswer = 1 << 30

// keptRequest is how large a request may have been whose memory the connection keeps for the next.
const keptRequest = 1 << 20

// Peer is a connection to another broker of the cluster, one request at a time. It belongs to one goroutine, but for
// Close and Prolong. The requests' versions are the caller's: brokers of one cluster know each other's.
type Peer struct {
	conn        net.Conn
	formatter   *kmsg.RequestFormatter
	correlation int32
	out         []byte

	mu       sync.Mutex
	awaiting bool // guarded by mu: AwaitClose has set the deadline
}

// Dial connects to host:port.
type Dial func(ctx context.Context, address string) (net.Conn, error)

// DialTCP is the Dial of real networks.
func DialTCP(ctx context.Context, address string) (net.Conn, error) {
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", address)
}

// DialPeer connects to a broker's address.
func DialPeer(ctx context.Context, dial Dial, address, clientID string) (*Peer, error) {
	conn, err := dial(ctx, address)
	if err != nil {
		return nil, err
	}
	return &Peer{conn: conn, formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID(clientID))}, nil
}

// Close ends the connection and the call that waits on it. Anyone may call it.
func (p *Peer) Close() { p.conn.Close() }

// AwaitClose waits for as long as given, between calls, and tells whether the connection has ended meanwhile.
func (p *Peer) AwaitClose(within time.Duration) (ended bool) {
	if err := p.await(within); err != nil {
		return true
	}
	var one [1]byte
	_, err := p.conn.Read(one[:])
	p.mu.Lock()
	p.awaiting = false
	p.mu.Unlock()
	return !errors.Is(err, os.ErrDeadlineExceeded) // a peer that speaks without being asked is none
}

func (p *Peer) await(within time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.awaiting = true
	return p.conn.SetReadDeadline(time.Now().Add(within))
}

// Prolong has AwaitClose, if it waits, do so for as long as given from now on. Anyone may call it.
func (p *Peer) Prolong(within time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.awaiting {
		_ = p.conn.SetReadDeadline(time.Now().Add(within)) // or it has ended, as AwaitClose will tell
	}
}

// Answer is a response; byte fields of it point into memory that Free gives back.
type Answer[R kmsg.Response] struct {
	Response R
	frame    *Buffer
}

// Free gives the memory back.
func (a *Answer[R]) Free() { a.frame.Free() }

// Call sends a request, its version set, and reads the response, within the time given. After an error the
// connection is of no more use.
func Call[R kmsg.Response](p *Peer, request kmsg.Request, within time.Duration) (Answer[R], error) {
	var answer Answer[R]
	response, frame, err := p.call(request, within)
	if err != nil {
		return answer, fmt.Errorf("%s to %s: %w", kmsg.NameForKey(request.Key()), p.conn.RemoteAddr(), err)
	}
	answer.Response, answer.frame = response.(R), frame
	return answer, nil
}

func (p *Peer) call(request kmsg.Request, within time.Duration) (kmsg.Response, *Buffer, error) {
	if err := p.conn.SetDeadline(time.Now().Add(within)); err != nil {
		return nil, nil, err
	}
	p.correlation++
	p.out = p.formatter.AppendRequest(p.out[:0], request, p.correlation)
	if _, err := p.conn.Write(p.out); err != nil {
		return nil, nil, err
	}
	if cap(p.out) > keptRequest {
		p.out = nil
	}
	frame, err := p.receive()
	if err != nil {
		return nil, nil, err
	}
	response, err := DecodeAnswer(frame.Bytes, request, p.correlation)
	if err != nil {
		frame.Free()
		return nil, nil, err
	}
	return response, frame, nil
}

func (p *Peer) receive() (*Buffer, error) {
	var size [sizeBytes]byte
	if _, err := io.ReadFull(p.conn, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxAnswer {
		return nil, fmt.Errorf("%w: an answer of %d bytes", ErrMalformed, n)
	}
	frame := NewBuffer(int(n))
	if _, err := io.ReadFull(p.conn, frame.Bytes); err != nil {
		frame.Free()
		return nil, err
	}
	return frame, nil
}

// DecodeAnswer reads the response frame, without its size, to a request: correlation id, tagged fields where
// flexible, body. Its byte fields point into frame.
func DecodeAnswer(frame []byte, request kmsg.Request, correlation int32) (kmsg.Response, error) {
	if len(frame) < 4 || int32(binary.BigEndian.Uint32(frame)) != correlation {
		return nil, fmt.Errorf("%w: not the answer to what was asked", ErrMalformed)
	}
	body := frame[4:]
	response := request.ResponseKind()
	response.SetVersion(request.GetVersion())
	if request.IsFlexible() && request.Key() != KeyApiVersions {
		s := scanner{src: body, budget: maxElements(len(body))}
		if !s.skipTags() {
			return nil, fmt.Errorf("%w: tagged fields of an answer", ErrMalformed)
		}
		body = s.src
	}
	return response, response.ReadFrom(body)
}

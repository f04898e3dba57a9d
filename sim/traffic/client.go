package traffic

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"barnabas/internal/wire"
	"barnabas/sim/check"
)

// Env is what all clients share.
type Env struct {
	Dial    func(address string) (net.Conn, error)
	Address string // of the broker
	History *check.History
	Topics  *Topics
	Seed    uint64
	// Anonymous is a planted bug: idempotent producers leave out who they are, so that nobody can tell a retry.
	Anonymous bool
}

// client is a connection that is made again when it breaks. It belongs to one goroutine.
type client struct {
	*Env
	name        string
	rng         *rand.Rand
	conn        net.Conn
	formatter   *kmsg.RequestFormatter
	correlation int32
}

func (e *Env) client(name string, number uint64) *client {
	return &client{
		Env: e, name: name, rng: rand.New(rand.NewPCG(e.Seed, 0xc11e<<16|number)),
		formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID(name)),
	}
}

// patience bounds every call.
const patience = 5 * time.Second

// errNotSent says that a request never left.
var errNotSent = errors.New("not sent")

// call asks and waits for the answer. After an error other than errNotSent it is not known what has happened.
func (c *client) call(request kmsg.Request) (kmsg.Response, error) {
	frame, err := c.exchange(request, true)
	if err != nil {
		return nil, err
	}
	return wire.DecodeAnswer(frame, request, c.correlation)
}

// tell sends a request that has no answer.
func (c *client) tell(request kmsg.Request) error {
	_, err := c.exchange(request, false)
	return err
}

func (c *client) exchange(request kmsg.Request, answered bool) (frame []byte, err error) {
	if c.conn == nil {
		if c.conn, err = c.Dial(c.Address); err != nil {
			c.conn = nil
			return nil, errors.Join(errNotSent, err)
		}
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	c.conn.SetDeadline(time.Now().Add(patience))
	c.correlation++
	if _, err := c.conn.Write(c.formatter.AppendRequest(nil, request, c.correlation)); err != nil || !answered {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(c.conn, size[:]); err != nil {
		return nil, err
	}
	frame = make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err = io.ReadFull(c.conn, frame)
	return frame, err
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

// ask is call with the answer's type.
func ask[P kmsg.Response](c *client, request kmsg.Request) (answer P, err error) {
	response, err := c.call(request)
	if err != nil {
		return answer, err
	}
	return response.(P), nil
}

// rest waits for some time up to most. False when the run is over.
func (c *client) rest(ctx context.Context, most time.Duration) bool {
	timer := time.NewTimer(time.Microsecond + time.Duration(c.rng.Int64N(int64(most))))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// chance is true once in n.
func (c *client) chance(n int) bool { return c.rng.IntN(n) == 0 }

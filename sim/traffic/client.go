package traffic

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
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
	Dial      func(ctx context.Context, address string) (net.Conn, error)
	Addresses []string // of the brokers; of one alone nobody asks who leads
	At        func(broker int32) string
	History   *check.History
	Topics    *Topics
	Seed      uint64
	// Directories are each broker's log directories, nil where there is one: replicas are moved between them.
	Directories []string
	// Reassigning has the administrator move replicas of topics with one to other brokers, drain brokers of them, and call that off.
	Reassigning bool
	// Outlasting has topics with fsync.on.ack among the others.
	Outlasting bool
	// Replicas, if given, decides how many replicas a new topic has, and its min.insync.replicas.
	Replicas func(rng *rand.Rand) (factor int16, minISR int)
	// Counts, if given, tells whether what a coordinator says is of interest: one that has been deposed and hasn't heard
	// of it may say what was.
	Counts func(coordinator string) bool
	// Leads, if given, tells whether a broker leads a partition indeed: see producer.toldOfGap.
	Leads func(t *Topic, number int32, broker string) bool
	// Anonymous is a planted bug: idempotent producers leave out who they are, so that nobody can tell a retry.
	Anonymous bool
}

// client has a connection to each broker that it has asked something, made again when it breaks. It belongs to one
// goroutine.
type client struct {
	*Env
	name        string
	rng         *rand.Rand
	conns       map[string]net.Conn
	leaders     map[[16]byte][]int32 // as far as known
	epochs      map[[16]byte][]int32 // the latest leader epochs that were heard of
	coordinator string
	formatter   *kmsg.RequestFormatter
	correlation int32
}

func (e *Env) client(name string, number uint64) *client {
	return &client{
		Env: e, name: name, rng: rand.New(rand.NewPCG(e.Seed, 0xc11e<<16|number)),
		conns: map[string]net.Conn{}, leaders: map[[16]byte][]int32{}, epochs: map[[16]byte][]int32{},
		formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID(name)),
	}
}

// patience bounds every call.
const patience = 5 * time.Second

// errNotSent says that a request never left.
var errNotSent = errors.New("not sent")

// anywhere is a broker, for what any of them answers.
func (c *client) anywhere() string {
	if len(c.Addresses) == 1 {
		return c.Addresses[0]
	}
	return c.Addresses[c.rng.IntN(len(c.Addresses))]
}

// call asks a broker and waits for the answer. After an error other than errNotSent it is not known what has happened.
func (c *client) call(at string, request kmsg.Request) (kmsg.Response, error) {
	frame, err := c.exchange(at, request, true)
	if err != nil {
		return nil, err
	}
	return wire.DecodeAnswer(frame, request, c.correlation)
}

// tell sends a request that has no answer.
func (c *client) tell(at string, request kmsg.Request) error {
	_, err := c.exchange(at, request, false)
	return err
}

func (c *client) exchange(at string, request kmsg.Request, answered bool) (frame []byte, err error) {
	conn := c.conns[at]
	if conn == nil {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if conn, err = c.Dial(ctx, at); err != nil {
			return nil, errors.Join(errNotSent, err)
		}
		c.conns[at] = conn
	}
	defer func() {
		if err != nil {
			conn.Close()
			delete(c.conns, at)
		}
	}()
	conn.SetDeadline(time.Now().Add(patience))
	c.correlation++
	if _, err := conn.Write(c.formatter.AppendRequest(nil, request, c.correlation)); err != nil || !answered {
		return nil, err
	}
	var size [4]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return nil, err
	}
	frame = make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err = io.ReadFull(conn, frame)
	return frame, err
}

func (c *client) close() {
	for at, conn := range c.conns {
		conn.Close()
		delete(c.conns, at)
	}
}

// leader is where a partition's leader is, as far as known; empty while nobody is known to lead.
func (c *client) leader(t *Topic, number int32) string {
	if len(c.Addresses) == 1 {
		return c.Addresses[0]
	}
	if c.leaders[t.ID] == nil {
		c.learn(t)
	}
	if known := c.leaders[t.ID]; int(number) < len(known) && known[number] >= 0 {
		return c.At(known[number])
	}
	delete(c.leaders, t.ID)
	return ""
}

// forgetLeader has it looked for again.
func (c *client) forgetLeader(t *Topic) { delete(c.leaders, t.ID) }

// learn asks who leads.
func (c *client) learn(t *Topic) {
	request := kmsg.NewPtrMetadataRequest()
	request.Version, request.AllowAutoTopicCreation = 12, false
	topic := kmsg.NewMetadataRequestTopic()
	topic.TopicID = t.ID
	request.Topics = append(request.Topics, topic)
	answer, err := ask[*kmsg.MetadataResponse](c, c.anywhere(), request)
	if err != nil || len(answer.Topics) != 1 || answer.Topics[0].ErrorCode != 0 {
		return
	}
	c.believe(t, answer.Topics[0].Partitions)
}

// believe takes over who leads. What is of an older epoch than one that was heard of comes from a broker that does not hear of
// changes: its leader has been deposed (KIP-320). Every client that counts treats it so.
func (c *client) believe(t *Topic, partitions []kmsg.MetadataResponseTopicPartition) {
	leaders, epochs := make([]int32, t.Partitions), c.epochs[t.ID]
	if epochs == nil {
		epochs = make([]int32, t.Partitions)
		c.epochs[t.ID] = epochs
	}
	for i := range leaders {
		leaders[i] = -1
	}
	for _, p := range partitions {
		if p.Partition < t.Partitions && p.LeaderEpoch >= epochs[p.Partition] {
			leaders[p.Partition], epochs[p.Partition] = p.Leader, p.LeaderEpoch
		}
	}
	c.leaders[t.ID] = leaders
}

// askLeader is ask of a partition's leader. What it answers may be that it leads no more: see forgetLeader.
func askLeader[P kmsg.Response](c *client, t *Topic, number int32, request kmsg.Request) (answer P, err error) {
	at := c.leader(t, number)
	if at == "" {
		return answer, fmt.Errorf("%w: nobody leads", errNotSent)
	}
	answer, err = ask[P](c, at, request)
	if err != nil {
		c.forgetLeader(t)
	}
	return answer, err
}

// ask is call with the answer's type.
func ask[P kmsg.Response](c *client, at string, request kmsg.Request) (answer P, err error) {
	response, err := c.call(at, request)
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

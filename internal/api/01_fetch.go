package api

import (
	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/storage"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fetch 4-18. Version 4 adds the isolation level and aborted transactions, 5 log start offsets, 7 sessions
// (KIP-227, fetch_session.go), 9 checks the leader epoch (KIP-320), 11 lets followers answer consumers (KIP-392), 12 is
// flexible and finds divergence, 13 names topics by id (KIP-516), 15 moves the replica into a tagged field
// (KIP-903), 16 tells new leaders (KIP-951), 17 names the follower's store. The first partition with data gets at
// least one batch whatever the limits say (KIP-74). A fetch waits on its connection's goroutine, through one waiter left with all
// its partitions, until there are MinBytes, an error, or time is up. Records go from file to socket.

func (a *API) fetch(c *Call, request *kmsg.FetchRequest) {
	session, incremental, code := a.sessions.open(request)
	if code != 0 {
		f := &fetchCall{api: a, call: c, code: code}
		c.ReplyRaw(f.encode())
		return
	}
	f := newFetchCall(a, c, request, session)
	f.readAll()
	if !f.enough() {
		f.wait()
	}
	f.selectNews(incremental)
	if !incremental && request.Version >= 7 && request.SessionEpoch == initialEpoch {
		a.sessions.keep(session)
	}
	f.sessionID = session.id
	reply := f.encode()
	if incremental {
		session.use.Unlock()
	}
	c.ReplyRaw(reply)
}

// fetchCall is a Fetch request being answered.
type fetchCall struct {
	api     *API
	call    *Call
	request *kmsg.FetchRequest
	session *fetchSession
	image   *metadata.Image

	follower ident.BrokerID // or ident.NoBroker
	epoch    int64          // the follower's broker epoch, -1 where it is not told
	mark     replication.Mark
	maxBytes int

	code      int16 // of the whole
	sessionID int32
	parts     []fetched
	bytes     int
	broken    bool // some partition has an error, or news that must not wait
}

// fetched is what came of one partition.
type fetched struct {
	at        *sessionPartition
	topic     string
	partition *replication.Partition // nil if it isn't here
	result    replication.ReadResult
	code      int16
	skip      bool // has no news
}

func (r *fetched) bytes() int { return r.result.Span.Len() }

func (r *fetched) highWatermark() int64 {
	if r.code != 0 {
		return -1
	}
	return int64(r.result.HighWatermark)
}

func (r *fetched) logStart() int64 {
	if r.code != 0 {
		return -1
	}
	return int64(r.result.LogStart)
}

func newFetchCall(a *API, c *Call, request *kmsg.FetchRequest, session *fetchSession) *fetchCall {
	f := &fetchCall{
		api: a, call: c, request: request, session: session, image: a.Metadata.Current(),
		follower: ident.NoBroker, epoch: -1, mark: replication.AtHighWatermark,
		maxBytes: min(int(request.MaxBytes), config.FetchMaxBytes.In(a.Config())),
	}
	replica := request.ReplicaID
	if request.Version >= 15 {
		replica, f.epoch = request.ReplicaState.ID, request.ReplicaState.Epoch
	}
	switch {
	case replica >= 0:
		c.follower = true
		f.follower, f.mark = ident.BrokerID(replica), replication.AtLogEnd
	case request.IsolationLevel == readCommitted:
		f.mark = replication.AtLastStable
	}
	f.parts = make([]fetched, 0, len(session.partitions))
	for p := session.order.first; p != nil; p = p.next {
		f.parts = append(f.parts, fetched{at: p})
	}
	return f
}

const readCommitted = 1

// readAll reads every partition in turn until MaxBytes are found, and from then on only their offsets.
func (f *fetchCall) readAll() {
	f.bytes, f.broken = 0, false
	for i := range f.parts {
		r := &f.parts[i]
		f.resolve(i)
		if r.code == 0 {
			f.read(r)
		}
		f.broken = f.broken || r.code != 0 || r.result.Diverges
		f.bytes += r.bytes()
	}
}

// resolve finds the partition. Partitions of one topic stand together, so its name is looked up once.
func (f *fetchCall) resolve(i int) {
	r := &f.parts[i]
	r.partition, r.result, r.code, r.topic = nil, replication.ReadResult{}, 0, r.at.topic
	if f.session.byIDs {
		if i > 0 && f.parts[i-1].at.id == r.at.id {
			r.topic, r.code = f.parts[i-1].topic, f.unknownID(f.parts[i-1].topic)
		} else {
			r.topic, r.code = topicRef{id: r.at.id, byID: true}.resolve(f.image)
		}
	}
	if r.code != 0 {
		return
	}
	if !f.api.authorized(f.call, opRead, metadata.TopicResource, r.topic) {
		r.code = kerr.TopicAuthorizationFailed.Code
		return
	}
	partition, err := f.api.Partitions.Get(r.topic, r.at.partition)
	if err != nil {
		r.code = missing(f.image, ident.TopicPartition{Topic: r.topic, Partition: r.at.partition})
		return
	}
	r.partition = partition
}

func (f *fetchCall) unknownID(topic string) int16 {
	if topic == "" {
		return kerr.UnknownTopicID.Code
	}
	return 0
}

func (f *fetchCall) read(r *fetched) {
	request := replication.ReadRequest{
		Offset:           record.Offset(r.at.offset),
		MaxBytes:         max(0, min(int(r.at.maxBytes), f.maxBytes-f.bytes)),
		MinOneBatch:      f.bytes == 0,
		UpTo:             f.mark,
		CurrentEpoch:     record.Epoch(r.at.currentEpoch),
		LastFetchedEpoch: record.Epoch(r.at.lastFetchedEpoch),
		AnyReplica:       f.follower == ident.NoBroker && f.request.Version >= 11,
	}
	if f.follower != ident.NoBroker {
		request.Follower = &replication.FollowerFetch{
			Member:     metadata.Member{Broker: f.follower, Store: r.at.store},
			Registered: metadata.Revision(max(0, f.epoch)),
			LogStart:   record.Offset(r.at.logStart),
		}
		if f.outlived(request.Follower.Member) {
			r.code = kerr.NotLeaderForPartition.Code // as Kafka says it
			return
		}
	}
	spend := f.throttle(r.partition, &request)
	result, err := r.partition.Read(request)
	r.result, r.code = result, codeOf(err)
	if spend != nil {
		spend.Spend(result.Span.Len(), f.api.Clock())
	}
	if !request.MinOneBatch && isPiece(&r.result.Span, request.MaxBytes) {
		r.result.Span.Release()
		r.result.Span = storage.Span{}
	}
	if r.code == kerr.UnknownServerError.Code {
		f.call.logger().Error("fetch failed", "partition", r.partition.Name().String(), "error", err)
	}
}

// throttle leaves the data out of a follower's read whose copying has gone beyond its limit (KIP-73), and returns the limit
// that what is read counts for.
func (f *fetchCall) throttle(p *replication.Partition, request *replication.ReadRequest) *replication.Throttle {
	if request.Follower == nil {
		return nil
	}
	counts, waits := p.SendsThrottled(request.Follower.Member)
	if !counts {
		return nil
	}
	limit := &f.api.Partitions.Throttles().Leader
	if waits && limit.Exceeded(f.api.Clock()) {
		request.MaxBytes, request.MinOneBatch = 0, false
	}
	return limit
}

// outlived tells whether the follower has registered anew since it sent this: it may have lost what it had then, so what it
// asks for says nothing about what it has (KIP-903).
func (f *fetchCall) outlived(follower metadata.Member) bool {
	if f.epoch < 0 {
		return false
	}
	holder := f.api.Metadata.Current().Holder(follower)
	return holder != nil && int64(holder.Epoch) > f.epoch
}

// isPiece says that a span cut by its limit holds no whole batch: a client could do nothing with it.
func isPiece(span *storage.Span, limit int) bool {
	if len(span.Ranges) == 0 || span.Len() < limit {
		return false
	}
	var head [record.PrefixSize + magicBytes]byte
	first := span.Ranges[0]
	if n, _ := first.File.ReadAt(head[:], first.Pos); n < len(head) {
		return true
	}
	size, err := record.PeekSize(head[:])
	return err != nil || size > first.Len
}

// enough says whether the answer must not wait.
func (f *fetchCall) enough() bool {
	return f.broken || f.request.MaxWaitMillis <= 0 || len(f.parts) == 0 || f.bytes >= int(f.request.MinBytes)
}

// selectNews leaves out of an incremental answer the partitions without news, and moves
// those with data to the end of the session's order.
func (f *fetchCall) selectNews(incremental bool) {
	for i := range f.parts {
		r := &f.parts[i]
		news := r.at.news(r)
		f.countFetch(r)
		if !incremental {
			continue
		}
		r.skip = !news
		if r.bytes() > 0 {
			f.session.order.remove(r.at)
			f.session.order.add(r.at)
		}
	}
}

func (f *fetchCall) release() {
	for i := range f.parts {
		f.parts[i].result.Span.Release()
	}
}

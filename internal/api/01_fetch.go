package api

import (
	"fmt"
	"sync"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/record"
	"barnabas/internal/replication"
	"barnabas/internal/storage"
	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Fetch 4-18. Version 4 adds the isolation level and aborted transactions, 5 log start offsets, 7 sessions
// (KIP-227, fetch_session.go), 9 checks the leader epoch (KIP-320), 11 lets followers answer consumers (KIP-392), 12 is
// flexible and finds divergence, 13 names topics by id (KIP-516), 15 moves the replica into a tagged field
// (KIP-903), 16 tells new leaders (KIP-951), 17 names the follower's store. The first partition with data gets at
// least one batch whatever the limits say (KIP-74). A fetch waits on its connection's goroutine, through one waiter left with all
// its partitions, until there are MinBytes, an error, or time is up. Records go from file to socket.

func (a *API) fetch(c *Call, body []byte) {
	f := fetchCalls.Get().(*fetchCall)
	f.api, f.call, f.image = a, c, a.Metadata.Current()
	if !f.fetchMessage.read(c.Header.Version, body) {
		c.Abort(fmt.Errorf("%w: Fetch version %d", wire.ErrMalformed, c.Header.Version))
		return
	}
	session, incremental, code := a.sessions.open(&f.fetchMessage, c.Header.Version, f.fresh)
	if code != 0 {
		f.code = code
		c.ReplyRaw(f.encode())
		return
	}
	f.begin(session)
	f.readAll()
	if !f.enough() {
		f.wait()
	}
	f.selectNews(incremental)
	if !incremental && f.sessionEpoch == initialEpoch {
		a.sessions.keep(session)
	}
	f.told = session.id
	if session == f.fresh && session.id != noSession {
		f.fresh = newSession()
	}
	reply := f.encode()
	if incremental {
		session.use.Unlock()
	}
	c.ReplyRaw(reply) // and f may be another request's from here on
}

// fetchCall is a Fetch request being answered.
type fetchCall struct {
	fetchMessage
	api     *API
	call    *Call
	session *fetchSession
	fresh   *fetchSession // an empty one for a request that names all its partitions
	image   *metadata.Image

	follower ident.BrokerID // or ident.NoBroker
	progress replication.FollowerFetch
	mark     replication.Mark
	most     int // bytes

	code   int16 // of the whole
	told   int32 // the session's id
	parts  []fetched
	bytes  int
	broken bool // some partition has an error, or news that must not wait
}

// fetchCalls are used again once their replies are gone.
var fetchCalls = sync.Pool{New: func() any { return &fetchCall{fresh: newSession()} }}

// Release unpins the files of the answer, and gives the call back: nobody knows it any more but the reply that is freed.
func (f *fetchCall) Release() {
	f.letGo()
	if max(cap(f.parts), cap(f.asks), cap(f.forgotten)) > keptParts {
		return
	}
	clear(f.parts)
	f.forget()
	f.fresh.empty()
	*f = fetchCall{fetchMessage: f.fetchMessage, fresh: f.fresh, parts: f.parts[:0]}
	fetchCalls.Put(f)
}

// fetched is what came of one partition.
type fetched struct {
	at        *sessionPartition
	topic     string
	partition *replication.Partition // nil if it isn't here
	result    replication.ReadResult
	code      int16
	near      ident.BrokerID   // who the consumer had better ask, or ident.NoBroker
	skip      bool             // has no news
	room      [1]storage.Range // of the result's span
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

// begin readies the call for reading what the session has.
func (f *fetchCall) begin(session *fetchSession) {
	f.session, f.follower, f.mark = session, ident.NoBroker, replication.AtHighWatermark
	f.most = min(int(f.maxBytes), config.FetchMaxBytes.In(f.api.Config()))
	switch {
	case f.replica >= 0:
		f.call.follower = true
		f.follower, f.mark = ident.BrokerID(f.replica), replication.AtLogEnd
	case f.isolation == readCommitted:
		f.mark = replication.AtLastStable
	}
	if !f.call.follower {
		f.api.Cores.Heard()
	}
	for p := session.order.first; p != nil; p = p.next {
		f.parts = append(f.parts, fetched{at: p})
	}
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
		f.broken = f.broken || r.code != 0 || r.result.Diverges || r.near != ident.NoBroker
		f.bytes += r.bytes()
	}
}

// resolve finds the partition. Partitions of one topic stand together, so its name is looked up once.
func (f *fetchCall) resolve(i int) {
	r := &f.parts[i]
	r.partition, r.result, r.code, r.topic = nil, replication.ReadResult{}, 0, r.at.topic
	r.near = ident.NoBroker
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
		MaxBytes:         max(0, min(int(r.at.maxBytes), f.most-f.bytes)),
		MinOneBatch:      f.bytes == 0,
		UpTo:             f.mark,
		CurrentEpoch:     record.Epoch(r.at.currentEpoch),
		LastFetchedEpoch: record.Epoch(r.at.lastFetchedEpoch),
		Room:             r.room[:0],
		AnyReplica:       f.follower == ident.NoBroker && f.call.Header.Version >= fetchAnyReplica,
	}
	if f.follower != ident.NoBroker {
		f.progress = replication.FollowerFetch{
			Member:     metadata.Member{Broker: f.follower, Store: r.at.store},
			Registered: metadata.Revision(max(0, f.replicaEpoch)),
			LogStart:   record.Offset(r.at.logStart),
		}
		request.Follower = &f.progress
		if f.outlived(request.Follower.Member) {
			r.code = kerr.NotLeaderForPartition.Code // as Kafka says it
			return
		}
	}
	if r.near = f.near(r); r.near != ident.NoBroker {
		request.MaxBytes, request.MinOneBatch = 0, false
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
	if r.code != 0 {
		r.near = ident.NoBroker
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
	if f.replicaEpoch < 0 {
		return false
	}
	holder := f.api.Metadata.Current().Holder(follower)
	return holder != nil && int64(holder.Epoch) > f.replicaEpoch
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
	return f.broken || f.maxWait <= 0 || len(f.parts) == 0 || f.bytes >= int(f.minBytes)
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

// letGo unpins what was read.
func (f *fetchCall) letGo() {
	for i := range f.parts {
		f.parts[i].result.Span.Release()
	}
}

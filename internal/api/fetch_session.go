package api

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"barnabas/internal/ident"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Fetch sessions (KIP-227): a broker remembers the partitions a client fetches, so that a
// request names only those that change, and a response only those with news.

// Session ids and epochs with a meaning of their own.
const (
	noSession    int32 = 0
	initialEpoch int32 = 0  // begin a session
	finalEpoch   int32 = -1 // end one, or want none
)

// sessionRest is how long a session must have been unused before another may take its place in a full cache.
const sessionRest = 2 * time.Minute

// sessionCache holds the sessions, at most limit of them (max.incremental.fetch.session.cache.slots).
type sessionCache struct {
	limit int
	clock func() time.Time

	mu       sync.Mutex
	sessions map[int32]*fetchSession // guarded by mu
}

func newSessionCache(limit int, clock func() time.Time) *sessionCache {
	return &sessionCache{limit: limit, clock: clock, sessions: make(map[int32]*fetchSession)}
}

// fetchSession is one client's. Its partitions are in the order in which they are read: those that
// had data go to the end, so that each gets its turn.
type fetchSession struct {
	id     int32
	byIDs  bool
	cached time.Time // last used; guarded by the cache's mu

	// use is held by the request that the session serves. Requests of one session come one after another,
	// so a second at the same time is a client's mistake and is refused.
	use        sync.Mutex
	epoch      int32
	partitions map[sessionKey]*sessionPartition
	order      sessionOrder
	spare      *sessionPartition // by next: of requests before, in a session that is not kept
}

type sessionKey struct {
	topic     string // by name, or
	id        ident.TopicID
	partition int32
}

// sessionPartition is what is fetched of a partition, and what the client was told last.
type sessionPartition struct {
	sessionKey
	fetchPosition
	highWatermark, logStart int64
	previous, next          *sessionPartition
}

// fetchPosition is one partition of a fetch request.
type fetchPosition struct {
	offset           int64
	logStart         int64 // the follower's
	maxBytes         int32
	currentEpoch     int32
	lastFetchedEpoch int32
	store            ident.StoreID // the follower's
}

// sessionOrder is a list of partitions; the zero value is empty.
type sessionOrder struct{ first, last *sessionPartition }

func (o *sessionOrder) add(p *sessionPartition) {
	p.previous, p.next = o.last, nil
	if o.last == nil {
		o.first = p
	} else {
		o.last.next = p
	}
	o.last = p
}

func (o *sessionOrder) remove(p *sessionPartition) {
	if p.previous == nil {
		o.first = p.next
	} else {
		p.previous.next = p.next
	}
	if p.next == nil {
		o.last = p.previous
	} else {
		p.next.previous = p.previous
	}
	p.previous, p.next = nil, nil
}

// open finds the session that a request wants, or takes fresh, which is empty, for a new one; the request's partitions are in it.
// A session that is not kept has id 0. An incremental one comes with its use held.
func (c *sessionCache) open(
	request *fetchMessage, version int16, fresh *fetchSession,
) (s *fetchSession, incremental bool, code int16) {
	byIDs := version >= fetchTopicIDs
	if request.sessionEpoch == finalEpoch || request.sessionEpoch == initialEpoch {
		c.drop(request.sessionID)
		fresh.byIDs = byIDs
		request.forgotten = request.forgotten[:0] // there is nothing to forget: Kafka does not look at them
		fresh.update(request)
		return fresh, false, 0
	}
	s = c.find(request.sessionID)
	switch {
	case s == nil:
		return nil, false, kerr.FetchSessionIDNotFound.Code
	case !s.use.TryLock():
		return nil, false, kerr.InvalidFetchSessionEpoch.Code
	}
	switch {
	case s.epoch != request.sessionEpoch:
		code = kerr.InvalidFetchSessionEpoch.Code
	case s.byIDs != byIDs:
		code = kerr.FetchSessionTopicIDError.Code
	}
	if code != 0 {
		s.use.Unlock()
		return nil, false, code
	}
	s.update(request)
	if len(s.partitions) == 0 { // nothing is left to remember
		c.drop(s.id)
		s.id = noSession
	}
	s.epoch = nextSessionEpoch(s.epoch)
	return s, true, 0
}

func nextSessionEpoch(epoch int32) int32 {
	if epoch == 1<<31-1 {
		return 1
	}
	return epoch + 1
}

// keep gives a new session a place in the cache and its id, which stays 0 when the cache is full.
func (c *sessionCache) keep(s *fetchSession) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.makeRoom(s) {
		return
	}
	for s.id == noSession || c.sessions[s.id] != nil {
		s.id = rand.Int32N(1<<31-1) + 1
	}
	// The request lives in a frame that is used again; the session's names must not point there.
	s.ownNames()
	s.epoch, s.cached, s.spare = 1, c.clock(), nil
	c.sessions[s.id] = s
}

// makeRoom evicts the session that was unused the longest, if that is long enough. With mu held.
func (c *sessionCache) makeRoom(*fetchSession) bool {
	if len(c.sessions) < c.limit {
		return true
	}
	var oldest *fetchSession
	for _, s := range c.sessions {
		if oldest == nil || s.cached.Before(oldest.cached) {
			oldest = s
		}
	}
	if oldest == nil || c.clock().Sub(oldest.cached) < sessionRest {
		return false
	}
	delete(c.sessions, oldest.id)
	return true
}

func (c *sessionCache) find(id int32) *fetchSession {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sessions[id]
	if s != nil {
		s.cached = c.clock()
	}
	return s
}

func (c *sessionCache) drop(id int32) {
	if id == noSession {
		return
	}
	c.mu.Lock()
	delete(c.sessions, id)
	c.mu.Unlock()
}

// counts are the sessions kept and their partitions, for metrics.
func (c *sessionCache) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.sessions)
}

func newSession() *fetchSession {
	return &fetchSession{partitions: make(map[sessionKey]*sessionPartition)}
}

// empty readies a session that was not kept for another request.
func (s *fetchSession) empty() {
	for p := s.order.first; p != nil; {
		next := p.next
		*p = sessionPartition{next: s.spare}
		s.spare, p = p, next
	}
	clear(s.partitions)
	s.order = sessionOrder{}
}

// update adds and changes the partitions that a request names, and forgets those it wants forgotten.
func (s *fetchSession) update(request *fetchMessage) {
	for i := range request.asks {
		s.set(&request.asks[i])
	}
	for _, key := range request.forgotten {
		s.forget(key)
	}
}

func (s *fetchSession) set(ask *fetchAsk) {
	p := s.partitions[ask.sessionKey]
	if p == nil {
		key := ask.sessionKey
		if s.id != noSession {
			key.topic = strings.Clone(key.topic)
		}
		p = s.partition()
		p.sessionKey, p.highWatermark, p.logStart = key, -1, -1
		s.partitions[key] = p
		s.order.add(p)
	}
	p.fetchPosition = ask.fetchPosition
}

// partition is an empty one.
func (s *fetchSession) partition() *sessionPartition {
	p := s.spare
	if p == nil {
		return new(sessionPartition)
	}
	s.spare, p.next = p.next, nil
	return p
}

func (s *fetchSession) forget(key sessionKey) {
	if p := s.partitions[key]; p != nil {
		s.order.remove(p)
		delete(s.partitions, key)
	}
}

// ownNames copies the topics' names, each once for all its partitions that stand together.
func (s *fetchSession) ownNames() {
	if s.byIDs {
		return
	}
	var name string
	owned := make(map[sessionKey]*sessionPartition, len(s.partitions))
	for p := s.order.first; p != nil; p = p.next {
		if p.topic != name {
			name = strings.Clone(p.topic)
		}
		p.topic = name
		owned[p.sessionKey] = p
	}
	s.partitions = owned
}

// news says whether a response has something to tell of the partition, and remembers what was told.
func (p *sessionPartition) news(r *fetched) bool {
	told := r.bytes() > 0 || r.code != 0 || r.result.Diverges || r.near != ident.NoBroker ||
		p.highWatermark != r.highWatermark() || p.logStart != r.logStart()
	p.highWatermark, p.logStart = r.highWatermark(), r.logStart()
	if r.code != 0 {
		p.highWatermark = -1 // whatever comes next is news
	}
	return told
}

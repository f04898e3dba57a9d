package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	groupCount     = 1000
	groupMembers   = 10
	heartbeatEvery = 3 * time.Second  // heartbeat.interval.ms
	commitEvery    = 5 * time.Second  // auto.commit.interval.ms
	groupsSettle   = 30 * time.Second // connections are parked after some ten seconds, and a JIT has compiled what is hot
	groupsFor      = 20 * time.Second
	// sessionTimeout lets the members of one build wait while those of others join, in a comparison.
	sessionTimeout = 10 * time.Minute
	// groupsAtOnce bounds the groups that are joined at the same time: a broker in its initial rebalance delay has all ten of each then,
	// and is not kept from the next by members who ask whether it goes on.
	groupsAtOnce = 200
	meetAtOnce   = 16
	askEvery     = 500 * time.Millisecond
)

// measureGroups keeps many consumers in groups, each on a connection of its own, that send heartbeats and commits at the
// intervals of Kafka's consumer, and nothing else.
func measureGroups(s system) (figures, error) {
	n, err := ready(s, groupMembers)
	if err != nil {
		return nil, err
	}
	defer n.close()
	begun := time.Now()
	l, err := n.joinGroups()
	if err != nil {
		return nil, err
	}
	defer l.close()
	f := figures{"all have joined, s": time.Since(begun).Seconds()}
	l.begin()
	time.Sleep(scaledTime(groupsSettle))
	before := l.answered.Load()
	g, err := startGauge(n.pid())
	if err != nil {
		return nil, err
	}
	time.Sleep(scaledTime(groupsFor))
	answered := float64(l.answered.Load() - before)
	used, err := g.stop()
	if err != nil {
		return nil, err
	}
	f["requests/s"] = answered / used.wall.Seconds()
	f["broker CPU, % of a core"] = 100 * used.broker.Seconds() / used.wall.Seconds()
	f["broker CPU-s per million"] = used.broker.Seconds() / answered * 1e6
	f["resident, MiB"], err = residentMiB(n.pid())
	if failed := l.end(); failed != nil {
		return nil, failed
	}
	return f, err
}

// slice is what all members ask for in the time between two heartbeats.
func (l *groupLoad) slice() (cost float64, err error) {
	before := l.answered.Load()
	g, err := startGauge(l.node.pid())
	if err != nil {
		return 0, err
	}
	l.begin()
	time.Sleep(heartbeatEvery)
	used, err := g.stop()
	answered := float64(l.answered.Load() - before)
	if failed := l.end(); failed != nil {
		return 0, failed
	}
	return used.broker.Seconds() / answered * 1e6, err
}

// groupLoad is all the members.
type groupLoad struct {
	node     *node
	members  []*member
	stop     chan struct{}
	working  sync.WaitGroup
	meeting  chan struct{} // a place for each who connects
	answered atomic.Int64
	failed   atomic.Pointer[error]
}

// joinGroups makes all groups whole.
func (n *node) joinGroups() (*groupLoad, error) {
	if err := n.awaitCoordinator(); err != nil {
		return nil, err
	}
	l := &groupLoad{node: n, meeting: make(chan struct{}, meetAtOnce)}
	random := rand.New(rand.NewPCG(1, 1)) // the same for all systems
	for i := range scaled(groupCount) * groupMembers {
		l.members = append(l.members, &member{
			load: l, group: fmt.Sprintf("group-%d", i/groupMembers),
			beatAfter:   time.Duration(random.Int64N(int64(heartbeatEvery))),
			commitAfter: time.Duration(random.Int64N(int64(commitEvery))),
		})
	}
	turns := make(chan struct{}, groupsAtOnce)
	for group := range slices.Chunk(l.members, groupMembers) {
		turns <- struct{}{}
		var whole sync.WaitGroup
		for _, m := range group {
			m.peers = group
			whole.Go(func() { l.fail(m.join()) })
		}
		l.working.Go(func() { whole.Wait(); <-turns })
		if l.failed.Load() != nil {
			break
		}
	}
	l.working.Wait()
	if failed := l.failed.Load(); failed != nil {
		l.close()
		return nil, *failed
	}
	return l, nil
}

// begin has all members work until end.
func (l *groupLoad) begin() {
	l.stop = make(chan struct{})
	for _, m := range l.members {
		l.working.Go(func() { l.fail(m.work()) })
	}
}

// end tells what went wrong.
func (l *groupLoad) end() error {
	close(l.stop)
	l.working.Wait()
	if failed := l.failed.Load(); failed != nil {
		return *failed
	}
	return nil
}

func (l *groupLoad) fail(err error) {
	if err != nil {
		l.failed.CompareAndSwap(nil, &err) // the first one says most
	}
}

func (l *groupLoad) close() {
	for _, m := range l.members {
		m.conn.close()
	}
}

// member is a consumer of the classic protocol. The first of a group leads it and gives each member one partition.
type member struct {
	load                   *groupLoad
	peers                  []*member // all of the group
	conn                   *conn
	group, id              string
	generation             int32
	partition              int32
	beatAfter, commitAfter time.Duration // the first of each
	offset                 int64
	whole                  atomic.Int32 // the generation in which it has seen the group whole
}

// work sends heartbeats and commits until the load stops.
func (m *member) work() error {
	beat := m.heartbeat()
	now := time.Now()
	nextBeat, nextCommit := now.Add(m.beatAfter), now.Add(m.commitAfter)
	for {
		next := nextBeat
		if nextCommit.Before(next) {
			next = nextCommit
		}
		select {
		case <-m.load.stop:
			return nil
		case <-time.After(time.Until(next)):
		}
		if next.Equal(nextBeat) {
			nextBeat = nextBeat.Add(heartbeatEvery)
			var response kmsg.HeartbeatResponse
			if err := m.ask(beat, 3, &response); err != nil {
				return err
			}
			if response.ErrorCode != 0 {
				return fmt.Errorf("heartbeat: %w", kafkaError(response.ErrorCode))
			}
			continue
		}
		nextCommit = nextCommit.Add(commitEvery)
		m.offset++
		if err := m.commit(m.offset); err != nil {
			return err
		}
	}
}

// heartbeat is the frame of one in this generation.
func (m *member) heartbeat() []byte {
	request := kmsg.NewPtrHeartbeatRequest()
	request.Version, request.Group, request.MemberID, request.Generation = 3, m.group, m.id, m.generation
	return frame(request)
}

func (m *member) commit(offset int64) error {
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Version, request.Group, request.MemberID, request.Generation = 7, m.group, m.id, m.generation
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = loadTopic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = m.partition, offset
	topic.Partitions = append(topic.Partitions, p)
	request.Topics = append(request.Topics, topic)
	var response kmsg.OffsetCommitResponse
	if err := m.ask(frame(request), 7, &response); err != nil {
		return err
	}
	if code := response.Topics[0].Partitions[0].ErrorCode; code != 0 {
		return fmt.Errorf("commit: %w", kafkaError(code))
	}
	return nil
}

// ask sends a frame and decodes the answer of a version that is not flexible.
func (m *member) ask(frame []byte, version int16, into kmsg.Response) error {
	if _, err := m.conn.Write(frame); err != nil {
		return err
	}
	body, err := m.conn.longReply()
	if err != nil {
		return err
	}
	into.SetVersion(version)
	m.load.answered.Add(1)
	return into.ReadFrom(body[4:])
}

// join goes on until the group is whole: whoever comes makes the others join again.
func (m *member) join() error {
	if err := m.meet(); err != nil {
		return err
	}
	for deadline := time.Now().Add(streamDeadline); time.Now().Before(deadline) && m.load.failed.Load() == nil; {
		whole, err := m.tryJoin(deadline)
		if err != nil || whole {
			return err
		}
	}
	return fmt.Errorf("%s is not whole after %s", m.group, streamDeadline)
}

// meet connects, and waits for a first answer: while a listener's backlog is full (Kafka's has 50), what the kernel calls connected may stay unheard.
func (m *member) meet() (err error) {
	m.load.meeting <- struct{}{}
	defer func() { <-m.load.meeting }()
	if m.conn, err = dialSmall(m.load.node.address()); err != nil {
		return err
	}
	return m.ask(frame(kmsg.NewPtrApiVersionsRequest()), 0, kmsg.NewPtrApiVersionsResponse())
}

func (m *member) tryJoin(deadline time.Time) (whole bool, err error) {
	request := kmsg.NewPtrJoinGroupRequest()
	request.Version, request.Group, request.MemberID = 5, m.group, m.id
	request.SessionTimeoutMillis, request.RebalanceTimeoutMillis = int32(sessionTimeout.Milliseconds()), 60_000
	request.ProtocolType = "consumer"
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name, protocol.Metadata = "range", []byte{0, 0, 0, 0, 0, 1, 0, 4, 'l', 'o', 'a', 'd', 0xff, 0xff, 0xff, 0xff}
	request.Protocols = append(request.Protocols, protocol)
	var joined kmsg.JoinGroupResponse
	if err := m.ask(frame(request), 5, &joined); err != nil {
		return false, err
	}
	switch joined.ErrorCode {
	case 0:
	case codeMemberIDRequired:
		m.id = joined.MemberID
		return false, nil
	case codeRebalance, codeNotCoordinator, codeLoading:
		return false, nil
	default:
		return false, fmt.Errorf("join: %w", kafkaError(joined.ErrorCode))
	}
	m.id, m.generation = joined.MemberID, joined.Generation
	return m.sync(&joined, deadline)
}

const (
	codeLoading          = 14
	codeNotCoordinator   = 16
	codeRebalance        = 27
	codeMemberIDRequired = 79
)

// sync takes the partition that the group's leader gives. The group is whole once there is one for each member, and each has got it.
func (m *member) sync(joined *kmsg.JoinGroupResponse, deadline time.Time) (whole bool, err error) {
	request := kmsg.NewPtrSyncGroupRequest()
	request.Version, request.Group, request.MemberID, request.Generation = 3, m.group, m.id, m.generation
	if joined.LeaderID == m.id {
		for i, other := range joined.Members {
			a := kmsg.NewSyncGroupRequestGroupAssignment()
			a.MemberID, a.MemberAssignment = other.MemberID, []byte{byte(i), byte(len(joined.Members))}
			request.GroupAssignment = append(request.GroupAssignment, a)
		}
	}
	var response kmsg.SyncGroupResponse
	if err := m.ask(frame(request), 3, &response); err != nil {
		return false, err
	}
	switch response.ErrorCode {
	case 0:
	case codeRebalance:
		return false, nil
	default:
		return false, fmt.Errorf("sync: %w", kafkaError(response.ErrorCode))
	}
	m.partition = int32(response.MemberAssignment[0])
	if response.MemberAssignment[1] == groupMembers {
		m.whole.Store(m.generation)
	}
	return m.awaitPeers(deadline)
}

// awaitPeers sends heartbeats until all of the group have seen it whole, or it wants all to join again. Whoever fell silent before would keep those
// who join again waiting.
func (m *member) awaitPeers(deadline time.Time) (whole bool, err error) {
	beat := m.heartbeat()
	for time.Now().Before(deadline) && m.load.failed.Load() == nil {
		if !slices.ContainsFunc(m.peers, func(p *member) bool { return p.whole.Load() != m.generation }) {
			return true, nil
		}
		var response kmsg.HeartbeatResponse
		if err := m.ask(beat, 3, &response); err != nil {
			return false, err
		}
		switch response.ErrorCode {
		case 0:
			time.Sleep(askEvery)
		case codeRebalance:
			return false, nil
		default:
			return false, fmt.Errorf("heartbeat: %w", kafkaError(response.ErrorCode))
		}
	}
	return false, nil
}

// awaitCoordinator asks until the topic of offsets is there.
func (n *node) awaitCoordinator() error {
	c, err := dial(n.address())
	if err != nil {
		return err
	}
	defer c.close()
	request := kmsg.NewPtrFindCoordinatorRequest()
	request.Version, request.CoordinatorKey = 2, "group-0"
	asked := frame(request)
	for deadline := time.Now().Add(startDeadline); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, err := c.Write(asked); err != nil {
			return err
		}
		body, err := c.longReply()
		if err != nil {
			return err
		}
		var response kmsg.FindCoordinatorResponse
		response.Version = 2
		if err := response.ReadFrom(body[4:]); err != nil {
			return err
		}
		if response.ErrorCode == 0 {
			return nil
		}
	}
	return fmt.Errorf("no coordinator within %s", startDeadline)
}

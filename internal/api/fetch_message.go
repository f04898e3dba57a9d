package api

import (
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/wire"
)

// fetchMessage is a Fetch request read in place, names pointing into the frame. It is read by hand and used again, as
// produceMessage is: a consumer that has caught up sends one for every few records.
type fetchMessage struct {
	replica      int32 // -1 for a consumer
	replicaEpoch int64 // -1 where it is not told
	maxWait      time.Duration
	minBytes     int32
	maxBytes     int32
	isolation    int8
	sessionID    int32
	sessionEpoch int32
	rack         string // of a consumer; "" for none
	asks         []fetchAsk
	forgotten    []sessionKey
}

// fetchAsk is a partition that the request names.
type fetchAsk struct {
	sessionKey
	fetchPosition
}

// Versions of Fetch in which something begins.
const (
	fetchLogStart     = 5
	fetchSessions     = 7
	fetchLeaderEpoch  = 9
	fetchAnyReplica   = 11
	fetchFlexible     = 12
	fetchTopicIDs     = 13
	fetchReplicaState = 15
)

// Numbers of tagged fields.
const (
	tagReplicaDirectory = 0 // of a partition
	tagReplicaState     = 1 // of the request
)

// read takes a body apart that was checked; false if it is cut short.
func (m *fetchMessage) read(version int16, body []byte) bool {
	d := wire.NewDecoder(body, version >= fetchFlexible)
	m.replica, m.replicaEpoch = -1, -1
	if version < fetchReplicaState {
		m.replica = d.Int32()
	}
	m.maxWait = time.Duration(d.Int32()) * time.Millisecond
	m.minBytes, m.maxBytes, m.isolation = d.Int32(), d.Int32(), d.Int8()
	m.sessionID, m.sessionEpoch = noSession, finalEpoch
	if version >= fetchSessions {
		m.sessionID, m.sessionEpoch = d.Int32(), d.Int32()
	}
	for range d.Length() {
		key := readTopic(&d, version)
		for range d.Length() {
			key.partition = d.Int32()
			m.asks = append(m.asks, fetchAsk{key, readPosition(&d, version)})
		}
		d.Tags()
	}
	if version >= fetchSessions {
		m.readForgotten(&d, version)
	}
	if version >= fetchAnyReplica {
		m.rack = d.String()
	}
	d.EachTag(func(tag int, value []byte) {
		if tag == tagReplicaState && version >= fetchReplicaState {
			state := wire.NewDecoder(value, true)
			m.replica, m.replicaEpoch = state.Int32(), state.Int64()
		}
	})
	return d.OK()
}

func (m *fetchMessage) readForgotten(d *wire.Decoder, version int16) {
	for range d.Length() {
		key := readTopic(d, version)
		for range d.Length() {
			key.partition = d.Int32()
			m.forgotten = append(m.forgotten, key)
		}
		d.Tags()
	}
}

func readTopic(d *wire.Decoder, version int16) (key sessionKey) {
	if version >= fetchTopicIDs {
		key.id = d.UUID()
	} else {
		key.topic = d.String()
	}
	return key
}

// readPosition reads what follows a partition's number.
func readPosition(d *wire.Decoder, version int16) fetchPosition {
	p := fetchPosition{currentEpoch: -1, lastFetchedEpoch: -1, logStart: -1}
	if version >= fetchLeaderEpoch {
		p.currentEpoch = d.Int32()
	}
	p.offset = d.Int64()
	if version >= fetchFlexible {
		p.lastFetchedEpoch = d.Int32()
	}
	if version >= fetchLogStart {
		p.logStart = d.Int64()
	}
	p.maxBytes = d.Int32()
	d.EachTag(func(tag int, value []byte) {
		if tag == tagReplicaDirectory {
			directory := wire.NewDecoder(value, true)
			p.store = ident.StoreID(directory.UUID())
		}
	})
	return p
}

// waits tells how long the client would have the answer wait.
func (m *fetchMessage) waits() time.Duration { return min(m.maxWait, longestWait) }

// forget readies the message for another request.
func (m *fetchMessage) forget() {
	clear(m.asks)
	clear(m.forgotten)
	*m = fetchMessage{asks: m.asks[:0], forgotten: m.forgotten[:0]}
}

package api

import (
	"github.com/twmb/franz-go/pkg/kmsg"
)

// row is an API that is served: all versions from min to max.
type row struct {
	key, min, max int16
	handle        handler
	// raw is a handler that reads the checked body by itself, in place; then handle is nil.
	raw func(a *API, c *Call, body []byte)
	// inPlace: the handler lets nothing of the request outlive its answer, so the request's strings
	// may point into the frame, and the frame's memory is used again.
	inPlace bool
	// copied: the decoded request has nothing of the frame (no bytes), and the handler nothing of the call once it is answered,
	// so the memory of both is used again.
	copied bool
	// controller: only the controller can answer; others bring the request there (58_envelope.go).
	controller bool
	// hidden: for brokers among themselves, clients aren't told.
	hidden bool
	// advertised is the lowest version told to clients, where it isn't min (Produce).
	advertised *int16
	metrics    *requestMetrics // set by New
}

// handler answers a call, now or later.
type handler func(a *API, c *Call, request kmsg.Request)

// now is a handler that returns its answer.
func now[Q kmsg.Request, P kmsg.Response](answer func(*API, *Call, Q) P) handler {
	return func(a *API, c *Call, request kmsg.Request) { c.Reply(answer(a, c, request.(Q))) }
}

// later is a handler that calls c.Reply once, from wherever its answer comes up.
func later[Q kmsg.Request](handle func(*API, *Call, Q)) handler {
	return func(a *API, c *Call, request kmsg.Request) { handle(a, c, request.(Q)) }
}

// The keys that are treated unlike others somewhere.
const (
	keyFetch        = 1
	keyMetadata     = 3
	keyOffsetCommit = 8
	keyHeartbeat    = 12
)

// rows is the one list of what is served. The ranges are Apache Kafka 4.4's; a key stands here when all
// its versions work.
func rows() []row {
	return []row{
		{key: 0, min: 3, max: 13, raw: (*API).produce, inPlace: true, advertised: new(int16)},
		{key: 1, min: 4, max: 18, raw: (*API).fetch, inPlace: true},
		{key: 2, min: 1, max: 11, handle: now((*API).listOffsets)},
		{key: 3, min: 0, max: 13, handle: now((*API).metadata)},
		{key: 8, min: 2, max: 10, handle: later((*API).offsetCommit), copied: true},
		{key: 9, min: 1, max: 10, handle: later((*API).offsetFetch)},
		{key: 10, min: 0, max: 6, handle: now((*API).findCoordinator)},
		{key: 11, min: 0, max: 9, handle: later((*API).joinGroup)},
		{key: 12, min: 0, max: 4, handle: later((*API).heartbeat), copied: true},
		{key: 13, min: 0, max: 5, handle: later((*API).leaveGroup)},
		{key: 14, min: 0, max: 5, handle: later((*API).syncGroup)},
		{key: 15, min: 0, max: 6, handle: later((*API).describeGroups)},
		{key: 16, min: 0, max: 5, handle: later((*API).listGroups)},
		{key: 18, min: 0, max: 5, handle: now((*API).apiVersions)},
		{key: 19, min: 2, max: 7, handle: now((*API).createTopics), controller: true},
		{key: 20, min: 1, max: 6, handle: now((*API).deleteTopics), controller: true},
		{key: 21, min: 0, max: 2, handle: now((*API).deleteRecords)},
		{key: 22, min: 0, max: 5, handle: later((*API).initProducerID)},
		{key: 23, min: 2, max: 4, handle: now((*API).offsetForLeaderEpoch)},
		{key: 29, min: 1, max: 3, handle: now((*API).describeACLs)},
		{key: 30, min: 1, max: 3, handle: now((*API).createACLs)},
		{key: 31, min: 1, max: 3, handle: now((*API).deleteACLs)},
		{key: 32, min: 1, max: 4, handle: now((*API).describeConfigs)},
		{key: 33, min: 0, max: 2, handle: now((*API).alterConfigs), controller: true},
		{key: 34, min: 1, max: 2, handle: now((*API).alterReplicaLogDirs)},
		{key: 35, min: 1, max: 5, handle: now((*API).describeLogDirs)},
		{key: 37, min: 0, max: 3, handle: now((*API).createPartitions), controller: true},
		{key: 42, min: 0, max: 3, handle: later((*API).deleteGroups)},
		{key: 43, min: 0, max: 2, handle: now((*API).electLeaders), controller: true},
		{key: 44, min: 0, max: 1, raw: (*API).alterIncrementally, controller: true},
		{key: 45, min: 0, max: 1, handle: now((*API).alterReassignments), controller: true},
		{key: 46, min: 0, max: 0, handle: now((*API).listReassignments), controller: true},
		{key: 47, min: 0, max: 0, handle: later((*API).offsetDelete)},
		{key: 55, min: 0, max: 2, handle: now((*API).describeQuorum)},
		{key: 57, min: 0, max: 2, handle: now((*API).updateFeatures), controller: true},
		{key: 58, min: 0, max: 0, handle: later((*API).envelope), hidden: true},
		{key: 60, min: 0, max: 2, handle: now((*API).describeCluster)},
		{key: 61, min: 0, max: 0, handle: now((*API).describeProducers)},
		{key: 64, min: 0, max: 0, handle: now((*API).unregisterBroker), controller: true},
		{key: 74, min: 0, max: 1, handle: now((*API).listConfigResources)},
		{key: 75, min: 0, max: 0, handle: later((*API).describeTopicPartitions)},
	}
}

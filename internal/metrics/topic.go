package metrics

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Topic are the counters of one topic on this broker. Whoever serves the topic keeps the pointer.
type Topic struct {
	MessagesIn             Counter // records appended by producers
	BytesIn                Counter // of produced batches
	BytesOut               Counter // to consumers
	BytesRejected          Counter // of batches that were refused as too large
	ReplicationBytesIn     Counter // from the leader
	ReplicationBytesOut    Counter // to followers
	ProduceRequests        Counter // partitions written to by Produce requests
	FetchRequests          Counter // partitions asked for by Fetch requests
	FailedProduceRequests  Counter
	FailedFetchRequests    Counter
	InvalidMagicRecords    Counter // refused for their format's version
	InvalidCRCRecords      Counter // refused for their checksum
	InvalidOffsetOrSeq     Counter // refused for their offsets or sequence numbers
	NoKeyCompactedRecords  Counter // refused because a compacted topic wants keys
	MessageConversionsDone Counter // batches recompressed by compression.type
}

// topicFamilies are the counters by the name and help they have on the page.
var topicFamilies = []struct {
	name, help string
	of         func(*Topic) *Counter
}{
	{"messagesin", "Records appended by producers.", func(t *Topic) *Counter { return &t.MessagesIn }},
	{"bytesin", "Bytes appended by producers.", func(t *Topic) *Counter { return &t.BytesIn }},
	{"bytesout", "Bytes sent to consumers.", func(t *Topic) *Counter { return &t.BytesOut }},
	{"bytesrejected", "Bytes of batches refused as too large.", func(t *Topic) *Counter { return &t.BytesRejected }},
	{"replicationbytesin", "Bytes copied from leaders.", func(t *Topic) *Counter { return &t.ReplicationBytesIn }},
	{"replicationbytesout", "Bytes sent to followers.", func(t *Topic) *Counter { return &t.ReplicationBytesOut }},
	{"totalproducerequests", "Partitions written to by Produce requests.", func(t *Topic) *Counter { return &t.ProduceRequests }},
	{"totalfetchrequests", "Partitions asked for by Fetch requests.", func(t *Topic) *Counter { return &t.FetchRequests }},
	{"failedproducerequests", "Partitions whose write failed.", func(t *Topic) *Counter { return &t.FailedProduceRequests }},
	{"failedfetchrequests", "Partitions whose read failed.", func(t *Topic) *Counter { return &t.FailedFetchRequests }},
	{"invalidmagicnumberrecords", "Batches refused for their format's version.", func(t *Topic) *Counter { return &t.InvalidMagicRecords }},
	{"invalidmessagecrcrecords", "Batches refused for their checksum.", func(t *Topic) *Counter { return &t.InvalidCRCRecords }},
	{"invalidoffsetorsequencerecords", "Batches refused for their offsets or sequence numbers.", func(t *Topic) *Counter { return &t.InvalidOffsetOrSeq }},
	{"nokeycompactedtopicrecords", "Records refused because a compacted topic wants keys.", func(t *Topic) *Counter { return &t.NoKeyCompactedRecords }},
	{"producemessageconversions", "Batches recompressed by compression.type.", func(t *Topic) *Counter { return &t.MessageConversionsDone }},
}

// Topics are the counters of all topics. The zero value is ready.
type Topics struct {
	mu     sync.RWMutex
	byName map[string]*Topic // guarded by mu
	gone   Topic             // what forgotten topics counted, so that the sums never fall
}

// Get returns a topic's counters, the same for each caller.
func (t *Topics) Get(name string) *Topic {
	t.mu.RLock()
	topic := t.byName[name]
	t.mu.RUnlock()
	if topic != nil {
		return topic
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if topic = t.byName[name]; topic != nil {
		return topic
	}
	if t.byName == nil {
		t.byName = map[string]*Topic{}
	}
	topic = new(Topic)
	t.byName[strings.Clone(name)] = topic // the name may be part of a request
	return topic
}

// Forget drops a topic's counters from the page when the topic is deleted.
func (t *Topics) Forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	topic, ok := t.byName[name]
	if !ok {
		return
	}
	delete(t.byName, name)
	for _, family := range topicFamilies {
		family.of(&t.gone).Add(family.of(topic).Load())
	}
}

type namedTopic struct {
	name  string
	topic *Topic
}

func (t *Topics) sorted() []namedTopic {
	var list []namedTopic
	t.mu.RLock()
	for name, topic := range t.byName {
		list = append(list, namedTopic{name, topic})
	}
	t.mu.RUnlock()
	slices.SortFunc(list, func(a, b namedTopic) int { return cmp.Compare(a.name, b.name) })
	return list
}

// Collect writes each family for each topic and, without a label, for all together, as Kafka has it.
// Zeros are shown: a rate can't see the first failure of a topic whose counter was not there before it.
func (t *Topics) Collect(w *Writer) {
	list := t.sorted()
	for _, family := range topicFamilies {
		w.Family("kafka_server_brokertopicmetrics_"+family.name+"_total", CounterType, family.help)
		sum := family.of(&t.gone).Load()
		for _, named := range list {
			sum += family.of(named.topic).Load()
		}
		w.Count(sum)
		for _, named := range list {
			w.Count(family.of(named.topic).Load(), "topic", named.name)
		}
	}
}

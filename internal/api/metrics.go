package api

import (
	"errors"
	"reflect"
	"strings"
	"sync"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metrics"
	"barnabas/internal/storage"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// requestMetrics are the counters of one row, bound when it is first used: most brokers never see most keys.
type requestMetrics struct {
	registry *metrics.Registry
	key      int16
	once     sync.Once
	counters *metrics.Request
	// Of Fetch, which Kafka counts by who asks, too.
	consumer, follower *metrics.Request
	errorField         []int // of the response; nil if it has no error of its own
}

func (m *requestMetrics) get() *requestMetrics {
	m.once.Do(func() {
		// Kafka's names are kmsg's, but for the spelling of Id.
		name := strings.ReplaceAll(kmsg.NameForKey(m.key), "ID", "Id")
		m.counters = m.registry.Requests.Get(name)
		if m.key == keyFetch {
			m.consumer = m.registry.Requests.Get("FetchConsumer")
			m.follower = m.registry.Requests.Get("FetchFollower")
		}
		kind := reflect.TypeOf(kmsg.ResponseForKey(m.key)).Elem()
		if field, ok := kind.FieldByName("ErrorCode"); ok {
			m.errorField = field.Index
		}
	})
	return m
}

const keyFetch = 1

// observe counts an answered request.
func (c *Call) observe() {
	m := c.row.metrics.get()
	c.count(m.counters)
	if m.key != keyFetch {
		return
	}
	if c.follower {
		c.count(m.follower)
	} else {
		c.count(m.consumer)
	}
}

func (c *Call) count(r *metrics.Request) {
	total := time.Since(c.began)
	r.Done(c.Header.Version)
	r.Total.Observe(total)
	r.Local.Observe(total - c.waited)
	r.Remote.Observe(c.waited)
}

// countError counts the error code of a whole response.
func (c *Call) countError(response kmsg.Response) {
	m := c.row.metrics.get()
	if m.errorField != nil {
		m.counters.Error(int16(reflect.ValueOf(response).Elem().FieldByIndex(m.errorField).Int()))
	}
}

// countCode counts the error code of a partition.
func (c *Call) countCode(code int16) { c.row.metrics.get().counters.Error(code) }

// countAppend counts what a producer's batch came to.
func (a *API) countAppend(topic string, bytes int, at storage.Appended, err error) {
	counters := a.Metrics.Topics.Get(topic)
	counters.ProduceRequests.Add(1)
	if err == nil {
		counters.MessagesIn.Add(at.Records)
		counters.BytesIn.Add(at.Bytes)
		return
	}
	counters.FailedProduceRequests.Add(1)
	switch {
	case errors.Is(err, storage.ErrMessageTooLarge):
		counters.BytesRejected.Add(int64(bytes))
	case errors.Is(err, storage.ErrCorruptMessage):
		counters.InvalidCRCRecords.Add(1)
	case errors.Is(err, storage.ErrOutOfOrderSequence), errors.Is(err, storage.ErrDuplicateSequence):
		counters.InvalidOffsetOrSeq.Add(1)
	}
}

// countFetch counts one partition of an answer.
func (f *fetchCall) countFetch(r *fetched) {
	f.call.countCode(r.code)
	if r.partition == nil {
		return
	}
	counters := f.api.Metrics.Topics.Get(r.partition.Name().Topic)
	if r.code != 0 {
		counters.FailedFetchRequests.Add(1)
	}
	if f.follower != ident.NoBroker {
		counters.ReplicationBytesOut.Add(int64(r.bytes()))
		return
	}
	counters.FetchRequests.Add(1)
	counters.BytesOut.Add(int64(r.bytes()))
}

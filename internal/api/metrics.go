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
	errors             *errorFields // of the response
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
		m.errors = errorFieldsOf(reflect.TypeOf(kmsg.ResponseForKey(m.key)).Elem())
	})
	return m
}

// errorFields are where a kind of response, or a part of one, has its error codes.
type errorFields struct {
	code  int // index of the field; -1 for none
	lists []errorList
}

type errorList struct {
	field int
	parts *errorFields
}

// errorFieldsOf is nil for a type without error codes.
func errorFieldsOf(kind reflect.Type) *errorFields {
	fields := &errorFields{code: -1}
	for i := range kind.NumField() {
		field := kind.Field(i)
		switch {
		case field.Name == "ErrorCode" && field.Type.Kind() == reflect.Int16:
			fields.code = i
		case field.Type.Kind() == reflect.Slice && field.Type.Elem().Kind() == reflect.Struct:
			if parts := errorFieldsOf(field.Type.Elem()); parts != nil {
				fields.lists = append(fields.lists, errorList{i, parts})
			}
		}
	}
	if fields.code < 0 && fields.lists == nil {
		return nil
	}
	return fields
}

// count counts the codes of a response, or of a part of one.
func (f *errorFields) count(v reflect.Value, counters *metrics.Request) {
	if f == nil {
		return
	}
	if f.code >= 0 {
		counters.Error(int16(v.Field(f.code).Int()))
	}
	for _, list := range f.lists {
		for parts, i := v.Field(list.field), 0; i < parts.Len(); i++ {
			list.parts.count(parts.Index(i), counters)
		}
	}
}

// Sent counts the request: its answer was sent, or never will be.
func (c *Call) Sent() {
	m := c.row.metrics.get()
	send := elapsed() - c.ready
	c.count(m.counters, send)
	switch {
	case m.key != keyFetch:
	case c.follower:
		c.count(m.follower, send)
	default:
		c.count(m.consumer, send)
	}
	if c.row.inPlace || c.row.copied { // its handler keeps nothing
		*c = Call{}
		calls.Put(c)
	}
}

func (c *Call) count(r *metrics.Request, send time.Duration) {
	handled := c.ready - c.began
	r.Done(c.Header.Version)
	r.Total.Observe(handled + send)
	r.Local.Observe(handled - c.waited)
	r.Remote.Observe(c.waited)
	r.Send.Observe(send)
}

// countErrors counts all error codes of a response: its own, and those of its topics, partitions, groups, and so on.
func (c *Call) countErrors(response kmsg.Response) {
	m := c.row.metrics.get()
	m.errors.count(reflect.ValueOf(response).Elem(), m.counters)
}

// countCode counts the error code of one partition, of a response that is written without kmsg.
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

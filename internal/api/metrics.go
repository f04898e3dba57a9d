package api

import (
	"errors"

	"barnabas/internal/storage"
)

// observe counts an answered request.
func (c *Call) observe(replyBytes int) {}

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
func (a *API) countFetch(r *fetched) {
	if r.partition == nil {
		return
	}
	counters := a.Metrics.Topics.Get(r.partition.Name().Topic)
	counters.FetchRequests.Add(1)
	counters.BytesOut.Add(int64(r.bytes()))
	if r.code != 0 {
		counters.FailedFetchRequests.Add(1)
	}
}

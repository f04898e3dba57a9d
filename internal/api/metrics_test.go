package api

import (
	"net/http/httptest"
	"strings"
	"testing"

	"barnabas/internal/metrics"
	"barnabas/internal/wire"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRequestIsCounted: all codes of an answer count, as in Kafka, and its times end with the last byte.
func TestRequestIsCounted(t *testing.T) {
	registry := metrics.New("test")
	x := newExchange(nil)
	call := &Call{
		Header: wire.Header{Key: 8, Version: 8}, exchange: x, began: elapsed(),
		row: &row{metrics: &requestMetrics{registry: registry, key: 8}},
	}
	response := kmsg.NewPtrOffsetCommitResponse()
	for _, codes := range [][]int16{{0, 3}, {3, 0, 0}} {
		topic := kmsg.NewOffsetCommitResponseTopic()
		for _, code := range codes {
			partition := kmsg.NewOffsetCommitResponseTopicPartition()
			partition.ErrorCode = code
			topic.Partitions = append(topic.Partitions, partition)
		}
		response.Topics = append(response.Topics, topic)
	}
	call.Reply(response)
	page := func() string {
		w := httptest.NewRecorder()
		registry.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
	reply := <-x.replies
	if strings.Contains(page(), `totaltimems_count{request="OffsetCommit"}`) {
		t.Error("counted before it was sent")
	}
	reply.Free()
	for _, line := range []string{
		`errors_total{request="OffsetCommit",error="0"} 3`, `errors_total{request="OffsetCommit",error="3"} 2`,
		`requests_total{request="OffsetCommit",version="8"} 1`, `responsesendtimems_count{request="OffsetCommit"} 1`,
	} {
		if !strings.Contains(page(), "kafka_network_requestmetrics_"+line+"\n") {
			t.Errorf("no %s", line)
		}
	}
}

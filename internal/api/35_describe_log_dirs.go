package api

import (
	"slices"
	"strings"

	"barnabas/internal/storage"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeLogDirs 1-5. Version 2 is flexible, 3 has an error of its own, 4 tells the volume's space (KIP-827), 5 cordoned directories
// (KIP-1066): none is. Without topics all are described. A directory that is offline says
// KAFKA_STORAGE_ERROR and nothing else. A copy that is to take the place of a replica in another directory is a future one, and its
// lag is what it has yet to copy (KIP-113).

func (a *API) describeLogDirs(_ *Call, request *kmsg.DescribeLogDirsRequest) *kmsg.DescribeLogDirsResponse {
	response := kmsg.NewPtrDescribeLogDirsResponse()
	var wanted map[string][]int32
	if request.Topics != nil {
		wanted = make(map[string][]int32, len(request.Topics))
		for _, t := range request.Topics {
			wanted[t.Topic] = append(wanted[t.Topic], t.Partitions...)
		}
	}
	for _, d := range a.Store.Dirs() {
		response.Dirs = append(response.Dirs, a.describeDir(d, wanted))
	}
	return response
}

func (a *API) describeDir(d *storage.Directory, wanted map[string][]int32) kmsg.DescribeLogDirsResponseDir {
	out := kmsg.NewDescribeLogDirsResponseDir()
	out.Dir, out.TotalBytes, out.UsableBytes = d.Path(), -1, -1
	if d.Err() != nil {
		out.ErrorCode = kerr.KafkaStorageError.Code
		return out
	}
	out.TotalBytes, out.UsableBytes = d.Space()
	logs := append(d.Logs(), d.Futures()...)
	slices.SortFunc(logs, func(a, b *storage.Log) int {
		left, right := a.TopicPartition(), b.TopicPartition()
		if left.Topic != right.Topic {
			return strings.Compare(left.Topic, right.Topic)
		}
		return int(left.Partition) - int(right.Partition)
	})
	for _, log := range logs {
		tp := log.TopicPartition()
		if wanted != nil && !slices.Contains(wanted[tp.Topic], tp.Partition) {
			continue
		}
		if len(out.Topics) == 0 || out.Topics[len(out.Topics)-1].Topic != tp.Topic {
			topic := kmsg.NewDescribeLogDirsResponseDirTopic()
			topic.Topic = tp.Topic
			out.Topics = append(out.Topics, topic)
		}
		partition := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		partition.Partition, partition.Size = tp.Partition, log.Size()
		partition.OffsetLag = int64(max(0, log.HighWatermark()-log.EndOffset()))
		if moved := a.Store.Log(tp); moved != log && log.IsNamedFuture() {
			partition.IsFuture = true
			if moved != nil {
				partition.OffsetLag = int64(max(0, moved.EndOffset()-log.EndOffset()))
			}
		}
		topic := &out.Topics[len(out.Topics)-1]
		topic.Partitions = append(topic.Partitions, partition)
	}
	return out
}

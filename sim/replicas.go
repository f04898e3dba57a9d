package sim

import (
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
	"barnabas/sim/check"
	"barnabas/sim/traffic"
	"barnabas/sim/world"
)

// sameReplicas holds the disks of all replicas, whose brokers are down, against what the leader showed: below the high
// watermark they hold the same. Of a topic that is cleaned each replica may have kept what others have not.
func sameReplicas(image *metadata.Image, machines map[ident.BrokerID]*world.Machine, h *check.History) (found []error) {
	for _, f := range h.Finals {
		p := image.Partition(ident.TopicPartition{Topic: f.Partition.Topic, Partition: f.Partition.Number})
		if p == nil {
			continue
		}
		promise := h.Promises[f.Partition.Topic]
		cleaned := promise.Compacted || promise.Expires
		for _, id := range p.Replicas {
			held, start, err := onDisk(machines[id], p, f.Partition)
			if err != nil {
				found = append(found, fmt.Errorf("replicas: %s on broker %d: %w", f.Partition, id, err))
				continue
			}
			if err := sameRecords(mayBegin(f, start, h), held, cleaned); err != nil {
				found = append(found, fmt.Errorf("replicas: %s on broker %d, which begins at %d, leader %d at %d, records deleted before %d: %w",
					f.Partition, id, start, p.Leader, f.LogStart, h.DeletedBefore(f.Partition), err))
			}
		}
	}
	return found
}

// mayBegin is what a replica has to hold whose log begins at an offset: all that the leader shows but for what somebody has had
// deleted, and what is before that log. The leader itself may show it again: where a log starts is on its disk some time later (a minute
// in Kafka, log.flush.start.offset.checkpoint.interval.ms; a second here), and a power cut takes it back there, and not on the
// followers. Theirs never lifts the leader's (in Kafka it counts for the low watermark that DeleteRecords waits for alone). That a
// replica begins behind the deletion, where a batch without records filled offsets up, excuses no record behind the deletion.
func mayBegin(f check.Final, start int64, h *check.History) check.Final {
	f.LogStart = max(f.LogStart, min(start, h.DeletedBefore(f.Partition)))
	return f
}

func sameRecords(f check.Final, held map[int64]check.Read, cleaned bool) error {
	shown := 0
	for _, r := range f.Reads {
		if r.Offset < f.LogStart {
			continue
		}
		got, ok := held[r.Offset]
		switch {
		case !ok && !cleaned:
			return fmt.Errorf("offset %d, %q, is missing", r.Offset, r.Record.Value)
		case ok && (got.Record != r.Record || got.Epoch != r.Epoch):
			return fmt.Errorf("offset %d holds %q of epoch %d, and %q of epoch %d is what was shown",
				r.Offset, got.Record.Value, got.Epoch, r.Record.Value, r.Epoch)
		}
		shown++
	}
	more := 0
	for at := range held {
		if at >= f.LogStart && at < f.HighWatermark {
			more++
		}
	}
	if more > shown && !cleaned {
		return fmt.Errorf("%d records in [%d, %d), where %d were shown", more, f.LogStart, f.HighWatermark, shown)
	}
	return nil
}

// onDisk reads a replica's records from its segments, and where the first of these begins.
func onDisk(m *world.Machine, state *metadata.Partition, p check.Partition) (held map[int64]check.Read, start int64, err error) {
	disk, dir := m.Disk(), filepath.Join(m.Dirs[0], p.String())
	for _, other := range m.Dirs { // that of the store that is named
		found, _, err := storage.ReadMetaProperties(disk, other)
		if member, ok := state.InISR(m.ID); err == nil && ok && member.Store == found.StoreID {
			dir = logIn(disk, other, p)
		}
	}
	entries, err := disk.ReadDir(dir)
	if err != nil {
		return nil, 0, err
	}
	held = map[int64]check.Read{}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".log") {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(names)
	for _, name := range names {
		data, err := vfs.ReadFile(disk, name)
		if err != nil {
			return nil, 0, err
		}
		for _, r := range traffic.Decode(p, data) {
			held[r.Offset] = r
		}
	}
	if len(names) > 0 {
		start, err = strconv.ParseInt(strings.TrimSuffix(filepath.Base(names[0]), ".log"), 10, 64)
	}
	return held, start, err
}

// logIn is where a directory has a partition's log: that of a replica which is moved has its own name once the move is over.
func logIn(disk *vfs.Mem, dir string, p check.Partition) string {
	entries, err := disk.ReadDir(dir)
	if err != nil {
		return filepath.Join(dir, p.String())
	}
	at := slices.IndexFunc(entries, func(e fs.DirEntry) bool {
		return strings.HasPrefix(e.Name(), p.String()+".") && strings.HasSuffix(e.Name(), "-future")
	})
	if own := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == p.String() }); own || at < 0 {
		return filepath.Join(dir, p.String())
	}
	return filepath.Join(dir, entries[at].Name())
}

// strays finds logs of topics that were deleted, while the broker was down perhaps, or its disk failed. (What was created when
// keepers lost it is no such log, nor is one that a crash took the topic's id of: those stay until somebody decides.)
func strays(image *metadata.Image, machines map[ident.BrokerID]*world.Machine) (found []error) {
	for _, id := range slices.Sorted(maps.Keys(machines)) {
		disk := machines[id].Disk()
		for _, dir := range machines[id].Dirs {
			found = append(found, straysIn(image, id, disk, dir)...)
		}
	}
	return found
}

func straysIn(image *metadata.Image, id ident.BrokerID, disk *vfs.Mem, dir string) (found []error) {
	entries, err := disk.ReadDir(dir)
	if err != nil {
		found = append(found, fmt.Errorf("strays: broker %d: %w", id, err))
	}
	for _, e := range entries {
		at := strings.LastIndexByte(e.Name(), '-')
		if !e.IsDir() || at < 0 {
			continue
		}
		if _, err := strconv.Atoi(e.Name()[at+1:]); err != nil {
			continue // it is about to be removed
		}
		data, err := vfs.ReadFile(disk, filepath.Join(dir, e.Name(), "partition.metadata"))
		if err != nil {
			continue
		}
		if topic, ok := topicOf(data); ok && image.Deleted(topic) {
			found = append(found, fmt.Errorf("strays: broker %d holds %s of topic %s, which was deleted", id, e.Name(), topic))
		}
	}
	return found
}

// topicOf is the topic that a partition.metadata file names.
func topicOf(data []byte) (ident.TopicID, bool) {
	for line := range strings.SplitSeq(string(data), "\n") {
		if name, ok := strings.CutPrefix(line, "topic_id: "); ok {
			id, err := ident.ParseTopicID(strings.TrimSpace(name))
			return id, err == nil
		}
	}
	return ident.TopicID{}, false
}

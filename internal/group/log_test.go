package group

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"barnabas/internal/coordinator"
	"barnabas/internal/record"
)

// testLog is a partition in memory, committed at once.
type testLog struct {
	mu      sync.Mutex
	batches []record.Batch
	end     record.Offset
	refuse  error // what the next Append answers
	stuck   bool  // the high watermark stays where it is
	mark    record.Offset
}

func (l *testLog) Append(b []byte) (record.Offset, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refuse; err != nil {
		l.refuse = nil
		return 0, err
	}
	batch := record.Batch(append([]byte(nil), b...))
	batch.SetBaseOffset(l.end)
	l.end = batch.NextOffset()
	l.batches = append(l.batches, batch)
	if !l.stuck {
		l.mark = l.end
	}
	return l.end, nil
}

func (l *testLog) Read(from record.Offset, _ int) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []byte
	for _, b := range l.batches {
		if b.LastOffset() >= from {
			out = append(out, b...)
		}
	}
	return out, nil
}

func (l *testLog) StartOffset() record.Offset { return 0 }

func (l *testLog) EndOffset() record.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

func (l *testLog) HighWatermark() record.Offset {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mark
}

func (l *testLog) Watch(record.Offset, func()) func() { return func() {} }

// records are those from an offset on.
func (l *testLog) records(from record.Offset) []coordinator.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []coordinator.Record
	for _, b := range l.batches {
		if b.BaseOffset() < from {
			continue
		}
		var r record.Reader
		r.Reset(b, nil)
		for r.Next() {
			out = append(out, coordinator.Record{
				Key:   append([]byte{}, r.Record().Key...),
				Value: append([]byte(nil), r.Record().Value...),
			})
		}
		r.Close()
	}
	return out
}

// printRecord shows a record in a line.
func printRecord(r coordinator.Record) string {
	key, err := decodeKey(r.Key)
	if err != nil {
		return err.Error()
	}
	switch key := key.(type) {
	case offsetKey:
		name := fmt.Sprintf("record offset %s %s-%d", key.group, key.topic, key.partition)
		if r.Value == nil {
			return name + " tombstone"
		}
		o, err := decodeOffset(r.Value)
		if err != nil {
			return err.Error()
		}
		name += fmt.Sprintf(" = %d", o.offset)
		if o.metadata != "" {
			name += fmt.Sprintf(" metadata=%q", o.metadata)
		}
		if o.expireMs >= 0 {
			name += fmt.Sprintf(" expires after %dms", o.expireMs-o.commitMs)
		}
		return name
	case groupKey:
		return printGroupRecord(key, r.Value)
	}
	return fmt.Sprintf("record of key %x", r.Key)
}

func printGroupRecord(key groupKey, value []byte) string {
	if value == nil {
		return "record group " + key.group + " tombstone"
	}
	v, err := decodeGroup(value)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "record group %s generation=%d type=%s protocol=%s leader=%s",
		key.group, v.Generation, orDash(v.ProtocolType), text(v.Protocol), text(v.Leader))
	for _, m := range v.Members {
		fmt.Fprintf(&b, " %s=%s", m.MemberID, orDash(string(m.Assignment)))
	}
	return b.String()
}

func text(s *string) string {
	if s == nil {
		return "-"
	}
	return *s
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

var discard = slog.New(slog.DiscardHandler)

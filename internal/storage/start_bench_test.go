package storage

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// startLogs is how many logs BenchmarkStart starts with, of one record or two each.
const startLogs = 10_000

// BenchmarkStart opens a store on the disk (TMPDIR) after the ways in which the last process may have ended:
//
//	go test ./internal/storage -run xxx -bench Start -benchtime 1x
func BenchmarkStart(b *testing.B) {
	for name, lives := range map[string][]bool{ // whether each closes the store in order
		"clean": {true}, "killed": {false}, "killed after clean": {true, false},
	} {
		b.Run(name, func(b *testing.B) {
			var used time.Duration
			for range b.N {
				b.StopTimer()
				o := Options{FS: vfs.OS, Dirs: []string{b.TempDir()}, ClusterID: testCluster, BrokerID: 1, BootID: ident.BootID{9}}
				for life, clean := range lives {
					benchLife(b, o, record.Epoch(life), clean)
				}
				b.StartTimer()
				before := processorTime(b)
				s, err := OpenStore(o)
				used += processorTime(b) - before
				b.StopTimer()
				if err != nil || len(s.Logs()) != startLogs {
					b.Fatalf("%d logs: %v", len(s.Logs()), err)
				}
				if err := s.Close(false); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(used.Microseconds())/float64(b.N*startLogs), "CPU-µs/log")
		})
	}
}

// benchLife opens the store, appends a record to each log, which it makes if it is not there, and closes it.
func benchLife(b *testing.B, o Options, epoch record.Epoch, clean bool) {
	b.Helper()
	s, err := OpenStore(o)
	if err != nil {
		b.Fatal(err)
	}
	for i := range startLogs {
		tp := ident.TopicPartition{Topic: fmt.Sprintf("many-%d", i/1000), Partition: int32(i % 1000)}
		l := s.Log(tp)
		if l == nil {
			if l, err = s.Create(tp, testTopicID, DefaultLogConfig(), 0); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := l.Append(batchOf(b, s.nowMs(), "value"), AppendOptions{LeaderEpoch: epoch}); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(clean); err != nil {
		b.Fatal(err)
	}
}

// processorTime is what the process has used of it: the clock says little where others have the processor too.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

package cli

import (
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/storage"
	"barnabas/internal/vfs"
)

// dumpCases are command lines whose output is kept in testdata/dump-log as Kafka 4.3.1 prints it
// for the log that writeDumpLog writes.
var dumpCases = []struct{ name, args string }{
	{"shallow", "--files orders-0/00000000000000000000.log"},
	{"deep", "--files orders-0/00000000000000000000.log --deep-iteration"},
	{"values", "--files orders-0/00000000000000000000.log --print-data-log"},
	{"bare", "--files orders-0/00000000000000000000.log --print-data-log --skip-record-metadata"},
	{"limited", "--files orders-0/00000000000000000000.log --max-bytes 200 --deep-iteration"},
	{"integers", "--files orders-0/00000000000000000067.log --value-decoder-class org.apache.kafka.tools.api.IntegerDecoder"},
	{"later", "--files orders-0/00000000000000000067.log --deep-iteration"},
	{"indexes", "--files orders-0/00000000000000000000.index,orders-0/00000000000000000000.timeindex"},
	{"verify", "--files orders-0/00000000000000000000.index,orders-0/00000000000000000000.timeindex --verify-index-only"},
	{"sanity", "--files orders-0/00000000000000000000.index,orders-0/00000000000000000000.timeindex --index-sanity-check"},
	{"state", "--files orders-0/00000000000000000067.snapshot,aborted/00000000000000000000.txnindex,other.file"},
	{"torn", "--files torn/00000000000000000000.log"},
	{"wrong", "--files wrong/00000000000000000000.index,wrong/00000000000000000000.timeindex"},
	{"transactions", "--files __transaction_state-0/00000000000000000000.log --transaction-log-decoder"},
	{"groups", "--files __consumer_offsets-0/00000000000000000000.log --offsets-decoder"},
}

// TestDumpLogPrintsWhatKafkaPrints compares with the output of Kafka's own tool. With KAFKA_LIBS, the
// directory of Kafka's jars, it runs that tool and writes the output anew.
func TestDumpLogPrintsWhatKafkaPrints(t *testing.T) {
	dir := t.TempDir()
	writeDumpLog(t, dir)
	golden, err := filepath.Abs("testdata/dump-log")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, c := range dumpCases {
		args := strings.Fields(c.args)
		path := filepath.Join(golden, c.name+".txt")
		if libs := os.Getenv("KAFKA_LIBS"); libs != "" {
			if err := os.WriteFile(path, kafkaDump(t, libs, dir, args), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		stdout, stderr, code := run(t, append([]string{"kafka-dump-log.sh"}, args...)...)
		got := strings.ReplaceAll(stdout+stderr, dir, "DIR")
		if code != 0 || got != string(want) {
			t.Errorf("%s: code %d\n%s\nwant\n%s", c.name, code, got, want)
		}
	}
}

func kafkaDump(t *testing.T, libs, dir string, args []string) []byte {
	t.Helper()
	command := exec.Command("java", append([]string{"-XX:TieredStopAtLevel=1", "-cp", libs + "/*",
		"org.apache.kafka.tools.DumpLogSegments"}, args...)...)
	command.Dir = dir
	var out, errs strings.Builder
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	return []byte(strings.ReplaceAll(out.String()+errs.String(), dir, "DIR"))
}

const dumpTime = 1_700_000_000_000 // ms

// writeDumpLog writes logs with everything in them that the format knows.
func writeDumpLog(t *testing.T, dir string) {
	t.Helper()
	config := storage.DefaultLogConfig()
	config.IndexIntervalBytes = 100
	config.SegmentBytes = 1500
	store, err := storage.OpenStore(storage.Options{
		FS: vfs.OS, Dirs: []string{dir}, ClusterID: ident.NewClusterID(), BrokerID: 1, Config: config,
		Logger: slog.New(slog.DiscardHandler), Cleaner: storage.CleanerSettings{Disabled: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, batches := range map[string][]record.Batch{
		"orders": ordersBatches(t), "__transaction_state": transactionBatches(t), "__consumer_offsets": groupBatches(t),
	} {
		log, err := store.Create(ident.TopicPartition{Topic: name}, ident.NewTopicID(), config, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			if _, err := log.Append(b, storage.AppendOptions{Origin: storage.Follower}); err != nil {
				t.Fatal(err)
			}
		}
	}
	store.Close(true)
	damage(t, dir)
}

// ordersBatches are batches of every kind, with gaps between, in two segments.
func ordersBatches(t *testing.T) []record.Batch {
	var batches []record.Batch
	add := func(opts record.Options, epoch record.Epoch, fill func(b *record.Builder)) {
		b := record.NewBuilder(opts)
		fill(b)
		batch, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		batch.SetLeaderEpoch(epoch)
		batches = append(batches, batch)
	}
	add(record.Options{}, 0, func(b *record.Builder) {
		b.Append(dumpTime, []byte("key"), []byte("value"))
		b.Append(dumpTime+5, nil, []byte("no key"), record.Header{Key: "h1", Value: []byte("1")}, record.Header{Key: "h2"})
		b.Append(dumpTime+3, []byte("no value"), nil)
		b.Append(dumpTime+4, nil, nil)
		b.Append(dumpTime+4, []byte(""), []byte("野猪套天下第一"))
	})
	add(record.Options{BaseOffset: 10, Type: record.LogAppendTime, AppendTimeMs: dumpTime + 10}, 0, func(b *record.Builder) {
		b.Append(dumpTime, []byte("k"), []byte("appended"))
	})
	for i, codec := range []record.Codec{record.Gzip, record.Snappy, record.LZ4, record.Zstd} {
		add(record.Options{BaseOffset: record.Offset(20 + 10*i), Codec: codec}, 1, func(b *record.Builder) {
			for n := range 3 {
				b.Append(dumpTime+int64(20+10*i+n), []byte("key"), []byte(strings.Repeat("value ", 10)))
			}
		})
	}
	producer := &record.Producer{ID: 7, Epoch: 2, Sequence: 0}
	add(record.Options{BaseOffset: 60, Producer: producer}, 1, func(b *record.Builder) {
		b.Append(dumpTime+60, []byte("a"), []byte("1"))
		b.Append(dumpTime+61, []byte("b"), []byte("2"))
	})
	for n := range int32(2) {
		open := &record.Producer{ID: 8, Epoch: 0, Sequence: record.Sequence(n), Transactional: true}
		offset := record.Offset(62 + 2*n)
		add(record.Options{BaseOffset: offset, Producer: open}, 1, func(b *record.Builder) {
			b.Append(dumpTime+70, []byte("t"), []byte("in a transaction"))
		})
		marker, err := record.NewMarker(8, 0, record.Marker{Commit: n == 1, CoordinatorEpoch: 4, TimestampMs: dumpTime + 71})
		if err != nil {
			t.Fatal(err)
		}
		marker.SetBaseOffset(offset + 1)
		marker.SetLeaderEpoch(1)
		batches = append(batches, marker)
	}
	add(record.Options{BaseOffset: 66, DeleteHorizonMs: dumpTime + 1000}, 1, func(b *record.Builder) {
		b.Append(dumpTime+80, []byte("deleted"), nil)
	})
	add(record.Options{BaseOffset: 200}, 1, func(b *record.Builder) { // too large for the first segment
		for n := range uint32(100) {
			b.Append(dumpTime+200, nil, binary.BigEndian.AppendUint32(nil, n))
		}
	})
	return batches
}

func transactionBatches(t *testing.T) []record.Batch {
	b := record.NewBuilder(record.Options{})
	key := []byte("\x00\x00\x00\x05txn-a")
	value := binary.BigEndian.AppendUint64([]byte{0, 0}, 4000)
	value = binary.BigEndian.AppendUint16(value, 3)
	value = binary.BigEndian.AppendUint32(value, 60000)
	value = append(value, 1)
	value = append(value, "\x00\x00\x00\x01\x00\x01t\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x05"...)
	value = binary.BigEndian.AppendUint64(value, dumpTime)
	value = binary.BigEndian.AppendUint64(value, dumpTime-1)
	b.Append(dumpTime, key, value)
	flexible := binary.BigEndian.AppendUint64([]byte{0, 1}, 4000)
	flexible = binary.BigEndian.AppendUint16(flexible, 3)
	flexible = binary.BigEndian.AppendUint32(flexible, 60000)
	flexible = append(flexible, 0, 0) // Empty, null partitions
	flexible = binary.BigEndian.AppendUint64(flexible, dumpTime)
	flexible = binary.BigEndian.AppendUint64(flexible, dumpTime-1)
	b.Append(dumpTime, key, append(flexible, 0))
	flexible = append(flexible, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9, 1, 8, 0, 0, 0, 0, 0, 0, 0, 10)
	b.Append(dumpTime, key, flexible)
	b.Append(dumpTime, key, nil)
	b.Append(dumpTime, []byte("\x00\x09"), []byte("?"))
	return []record.Batch{build(t, b)}
}

func groupBatches(t *testing.T) []record.Batch {
	b := record.NewBuilder(record.Options{})
	text := func(s string) string { return fmt.Sprintf("%c%c%s", 0, len(s), s) }
	bytes := func(s string) string { return string(binary.BigEndian.AppendUint32(nil, uint32(len(s)))) + s }
	int32s := func(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
	int64s := func(n uint64) string { return string(binary.BigEndian.AppendUint64(nil, n)) }
	commit := "\x00\x01" + text("readers") + text("orders") + int32s(0)
	b.Append(dumpTime, []byte(commit), []byte("\x00\x03"+int64s(42)+int32s(1)+text("mine")+int64s(dumpTime)))
	b.Append(dumpTime, []byte(commit), nil)
	group := "\x00\x02" + text("readers")
	for _, protocol := range []string{"consumer", "connect"} {
		member := text("member-1") + text("instance") + text("client") + text("/127.0.0.1") + int32s(300000) + int32s(45000) +
			bytes("\x00\x03"+int32s(1)+text("orders")+int32s(1<<32-1)+int32s(1)+text("orders")+int32s(1)+int32s(0)+int32s(5)+text("rack")) +
			bytes("\x00\x00"+int32s(1)+text("orders")+int32s(2)+int32s(0)+int32s(1)+bytes("mine"))
		b.Append(dumpTime, []byte(group), []byte("\x00\x03"+text(protocol)+int32s(3)+text("range")+text("member-1")+
			int64s(dumpTime)+int32s(1)+member))
	}
	b.Append(dumpTime, []byte(group), nil)
	b.Append(dumpTime, []byte("\x00\x63"), []byte("?"))
	return []record.Batch{build(t, b)}
}

func build(t *testing.T, b *record.Builder) record.Batch {
	t.Helper()
	batch, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	batch.SetLeaderEpoch(0)
	return batch
}

// damage writes a log with a torn tail, and one whose indexes are wrong.
func damage(t *testing.T, dir string) {
	t.Helper()
	for _, suffix := range []string{".log", ".index", ".timeindex"} {
		name := "00000000000000000000" + suffix
		data, err := os.ReadFile(filepath.Join(dir, "orders-0", name))
		if err != nil {
			t.Fatal(err)
		}
		if suffix == ".log" {
			writeFile(t, filepath.Join(dir, "torn", name), data[:len(data)-10])
		}
		if suffix == ".index" {
			data[3] ^= 1 // the first entry's offset
		}
		if suffix == ".timeindex" {
			data[7] ^= 1     // the first entry's timestamp
			data[12+6] ^= 8  // the second's goes back
			data[24+11] ^= 1 // the third's offset
		}
		writeFile(t, filepath.Join(dir, "wrong", name), data)
	}
	writeFile(t, filepath.Join(dir, "other.file"), nil)
	var aborted []byte // version, producer, first and last offset of a transaction, last stable offset
	for _, txn := range [][4]uint64{{8, 62, 63, 62}, {9, 70, 79, 75}} {
		aborted = binary.BigEndian.AppendUint16(aborted, 0)
		for _, field := range txn {
			aborted = binary.BigEndian.AppendUint64(aborted, field)
		}
	}
	writeFile(t, filepath.Join(dir, "aborted", "00000000000000000000.txnindex"), aborted)
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestDumpLogRefusesWhatItCantRead(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "x.log"), nil)
	writeFile(t, filepath.Join(dir, "00000000000000000000.log"), make([]byte, 100))
	writeFile(t, filepath.Join(dir, "1.snapshot"), []byte("short"))
	for args, want := range map[string]string{
		"--files " + dir + "/x.log":                             "no offset",
		"--files " + dir + "/1.log":                             "there is no such file",
		"--files " + dir + "/1.snapshot":                        "producer snapshot is corrupt",
		"--files " + dir + "/00000000000000000000.log":          "record batch is corrupt",
		"--files a --cluster-metadata-decoder":                  "can't be decoded here",
		"--files a --value-decoder-class com.example.MyDecoder": "Java classes can't be loaded here",
		"--print-data-log":                                      `Missing required argument "[files]"`,
	} {
		_, stderr, code := run(t, append([]string{"kafka-dump-log"}, strings.Fields(args)...)...)
		if code != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%s: code %d, %q, want %q", args, code, stderr, want)
		}
	}
}

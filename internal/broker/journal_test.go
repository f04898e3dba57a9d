package broker

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/vfs"
)

// chronicle is a journal of metadata that change, and what they were at each revision.
type chronicle struct {
	t      testing.TB
	topic  ident.TopicID
	life   metadata.Birth
	image  *metadata.Image
	was    map[metadata.Revision]map[string][]byte
	acted  metadata.Revision // up to where somebody may have acted
	whole  metadata.Revision // what replaceKnown has written last
	writes *journal
}

const chronicleDir = "/data"

func newChronicle(t testing.TB, fsys vfs.FS) *chronicle {
	c := &chronicle{t: t, topic: ident.NewTopicID(), life: metadata.Birth{Ensemble: "a"}, was: map[metadata.Revision]map[string][]byte{}}
	if err := errors.Join(fsys.MkdirAll(chronicleDir, 0o755), fsys.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	c.image = someImage(t)
	c.open(fsys)
	return c
}

// open is a start of the broker: the metadata are read as a whole.
func (c *chronicle) open(fsys vfs.FS) {
	c.writes = newJournal(fsys, chronicleDir, func() metadata.Birth { return c.life }, slog.New(slog.DiscardHandler))
	c.tell(nil)
}

// tell has the present Image known, and then acted on.
func (c *chronicle) tell(events []metadata.Event) {
	c.was[c.image.Revision()] = maps.Collect(c.image.Contents())
	c.writes.heard(c.image, events)
	c.acted = c.image.Revision()
}

// change is a leader's write of a partition, beside one that lives by a lease.
func (c *chronicle) change() {
	c.t.Helper()
	at := c.image.Revision() + 1
	events := []metadata.Event{
		{KV: metadata.KV{Key: metadata.PartitionKey(c.topic, 0), Modified: at, Value: metadata.EncodePartition(&metadata.Partition{Epoch: int32(at)})}},
		{KV: metadata.KV{Key: metadata.TopicKey(c.topic), Modified: at, Value: metadata.EncodeTopic("x", 1)}},
		{KV: metadata.KV{Key: metadata.DoubtKey(1, 2), Modified: at}, Deleted: true},
	}
	if at%5 == 0 {
		events = events[2:]
	}
	if at%7 == 0 {
		events[0] = metadata.Event{KV: metadata.KV{Key: metadata.MemberKey(1), Modified: at}, Deleted: true}
	}
	var err error
	if c.image, _, err = c.image.Apply(at, events); err != nil {
		c.t.Fatal(err)
	}
	c.tell(events)
}

// bear begins another life of the keepers, in which little is known.
func (c *chronicle) bear() {
	c.life.Ensemble += "'"
	var err error
	if c.image, err = metadata.ImageOf(c.image.Revision()+1000, someImage(c.t).Contents()); err != nil {
		c.t.Fatal(err)
	}
	c.tell(nil)
}

func (c *chronicle) replace() error {
	image, _, err := c.writes.replaceKnown()
	if err == nil && image != nil {
		c.whole = image.Revision()
	}
	return err
}

// check reads what a death has left.
func (c *chronicle) check(fsys vfs.FS) (knowledge, error) {
	got, err := readKnowledge(fsys, chronicleDir)
	if err != nil || got.image == nil {
		return got, err
	}
	was, ok := c.was[got.image.Revision()]
	if now := maps.Collect(got.image.Contents()); !ok || !maps.EqualFunc(now, was, bytes.Equal) {
		return got, errors.New("what is read of revision " + strconv.FormatInt(int64(got.image.Revision()), 10) + " is not what was there")
	}
	return got, nil
}

// same tells whether nothing of import has changed between two revisions.
func (c *chronicle) same(a, b metadata.Revision) bool {
	return maps.EqualFunc(c.was[a], c.was[b], bytes.Equal)
}

// script is what happens to a chronicle, with starts of the broker in between.
func script(c *chronicle, fsys vfs.FS) {
	for start := range 3 {
		for range 4 {
			c.change()
		}
		for range 3 {
			_ = c.replace()
			c.change()
			c.change()
		}
		if start == 1 {
			c.bear()
			c.change()
		}
		_ = c.replace()
		c.change()
		c.writes.close()
		c.open(fsys)
	}
}

// Whatever a process has acted on is on the disk when it dies, at any operation, and what a machine leaves that goes down is
// what there was at some moment, not before the last whole file.
func TestJournalAtEveryDeath(t *testing.T) {
	mem := vfs.NewMem()
	var c *chronicle
	deaths := 0
	fsys := vfs.WithFaults(mem, func(op vfs.Op) error {
		if c == nil || !op.Kind.Changes() {
			return nil
		}
		deaths++
		got, err := c.check(mem.Restart())
		switch {
		case err != nil:
			t.Fatalf("killed before operation %d, %v: %v", deaths, op, err)
		case c.acted > 0 && (got.image == nil || !got.complete || got.image.Revision() < c.acted && !c.same(got.image.Revision(), c.acted)):
			t.Fatalf("killed before operation %d, %v: %+v is known, and %d was acted on", deaths, op, got, c.acted)
		}
		got, err = c.check(mem.Crash(uint64(deaths)))
		if errors.Is(err, errKnownBroken) && got.image != nil {
			err = nil // the end of a journal
		}
		if err != nil {
			t.Fatalf("the machine went down before operation %d, %v: %v", deaths, op, err)
		}
		if c.whole > 0 && (got.image == nil || got.image.Revision() < c.whole) {
			t.Fatalf("the machine went down before operation %d, %v: %+v is known, and %d had been written", deaths, op, got, c.whole)
		}
		return nil
	})
	c = newChronicle(t, fsys)
	script(c, fsys)
	if numbers, err := journals(mem, chronicleDir); err != nil || len(numbers) > 3 {
		t.Errorf("journals %v are left, error %v", numbers, err)
	}
	t.Logf("%d deaths", deaths)
}

// Where the disk fails nothing passes for complete that is not, and when it works again everything is.
func TestJournalOnADiskThatFails(t *testing.T) {
	for nth := int64(1); nth < 80; nth++ {
		for _, forever := range []bool{true, false} {
			mem := vfs.NewMem()
			broken := false
			fails := vfs.FailNth(nth, forever, fs.ErrPermission, func(op vfs.Op) bool {
				return op.Kind.Changes() && op.Kind != vfs.OpRemove && strings.HasPrefix(op.Path, chronicleDir+"/")
			})
			fsys := vfs.WithFaults(mem, func(op vfs.Op) error {
				if broken {
					return nil
				}
				return fails(op)
			})
			c := newChronicle(t, fsys)
			for range 12 {
				c.change()
				if c.image.Revision()%3 == 0 {
					_ = c.replace()
				}
				got, err := c.check(mem.Restart())
				if err != nil {
					t.Fatalf("operation %d failed: %v", nth, err)
				}
				if got.complete && !c.same(got.image.Revision(), c.acted) {
					t.Fatalf("operation %d failed: %d passes for all, and %d was acted on", nth, got.image.Revision(), c.acted)
				}
			}
			broken = true
			for range 2 {
				c.change()
				if err := c.replace(); err != nil {
					t.Fatal(err)
				}
			}
			c.change()
			got, err := c.check(mem.Restart())
			if err != nil || !got.complete || !c.same(got.image.Revision(), c.acted) {
				t.Fatalf("operation %d failed, and the disk works again: %+v, error %v", nth, got, err)
			}
		}
	}
}

// A full journal asks for the whole file, and one that is much too long is given up: neither grows without bound.
func TestJournalIsBounded(t *testing.T) {
	mem := vfs.NewMem()
	c := newChronicle(t, mem)
	asked := 0
	for range 40 {
		at := c.image.Revision() + 1
		events := []metadata.Event{{KV: metadata.KV{
			Key: metadata.ConfigKey(metadata.Resource{Type: metadata.TopicResource, Name: "t"}), Modified: at,
			Value: metadata.EncodeConfig(map[string]string{"x": strings.Repeat("y", 1<<20) + strconv.Itoa(int(at))}),
		}}}
		var err error
		if c.image, _, err = c.image.Apply(at, events); err != nil {
			t.Fatal(err)
		}
		c.tell(events)
		select {
		case <-c.writes.full:
			asked++
		default:
		}
	}
	if left, err := journals(mem, chronicleDir); err != nil || len(left) > 0 || asked < 2 {
		t.Errorf("journals %v are left of 40 MiB, the whole file was asked for %d times, error %v", left, asked, err)
	}
	if err := c.replace(); err != nil {
		t.Fatal(err)
	}
	c.change()
	if got, err := c.check(mem); err != nil || !got.complete || !c.same(got.image.Revision(), c.acted) {
		t.Errorf("after the whole file: %+v, error %v", got, err)
	}
}

// What a release before this one has written is believed, and journals beside it are of before.
func TestJournalBesideAnOlderRelease(t *testing.T) {
	mem := vfs.NewMem()
	c := newChronicle(t, mem)
	c.change()
	if err := writeKnown(mem, knownPath(chronicleDir), someImage(t), known{Ensemble: "z"}); err != nil {
		t.Fatal(err)
	}
	got, err := readKnowledge(mem, chronicleDir)
	if err != nil || got.complete || got.ensemble != "z" || got.image.Revision() != 42 {
		t.Errorf("%+v, error %v", got, err)
	}
}

// A record that is damaged, and all after it, is not used, nor does what is left pass for everything. One that is cut off was
// not acted on.
func TestJournalDamaged(t *testing.T) {
	mem := vfs.NewMem()
	c := newChronicle(t, mem)
	c.change()
	before := c.acted
	numbers, err := journals(mem, chronicleDir)
	if err != nil {
		t.Fatal(err)
	}
	path := journalPath(chronicleDir, numbers[len(numbers)-1])
	whole, err := vfs.ReadFile(mem, path)
	if err != nil {
		t.Fatal(err)
	}
	c.change()
	data, err := vfs.ReadFile(mem, path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(whole); i < len(data); i++ {
		cut := knowledge{}
		if err := cut.add(data[:i]); err != nil || !cut.complete || cut.image.Revision() != before {
			t.Fatalf("cut at %d: %+v, error %v", i, cut, err)
		}
		damaged, hurt := bytes.Clone(data), knowledge{}
		damaged[i] ^= 0x40
		if err := hurt.add(damaged); hurt.image.Revision() != before || hurt.complete && err == nil && i >= len(whole)+4 {
			t.Fatalf("byte %d damaged: %+v, error %v", i, hurt, err)
		}
	}
}

func FuzzJournal(f *testing.F) {
	mem := vfs.NewMem()
	c := newChronicle(f, mem)
	c.change()
	c.bear()
	c.change()
	numbers, _ := journals(mem, chronicleDir)
	for _, n := range numbers {
		data, err := vfs.ReadFile(mem, filepath.Join(chronicleDir, journalPrefix+strconv.FormatUint(n, 10)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		_, records, _ := bytes.Cut(data, []byte("\n"))
		f.Add(records[frameSize:])
	}
	f.Fuzz(func(_ *testing.T, data []byte) {
		var k knowledge
		_ = k.add(data)
		_, _ = decodeRecord(data) // as if its sum were right
	})
}

// Ten thousand partitions are made, in transactions of 128 operations: what the journal adds to that.
func BenchmarkJournalOfTenThousandPartitions(b *testing.B) {
	fsys, dir := vfs.OS, b.TempDir()
	topic, image := ident.NewTopicID(), someImage(b)
	state := metadata.EncodePartition(&metadata.Partition{
		Replicas: []ident.BrokerID{1, 2, 3}, ISR: make([]metadata.Member, 3), Leader: 1, Ceiling: metadata.CeilingStep,
	})
	for b.Loop() {
		j := newJournal(fsys, dir, func() metadata.Birth { return metadata.Birth{Ensemble: "a"} }, slog.New(slog.DiscardHandler))
		j.heard(image, nil)
		j.number = 0 // the same file again
		for at := range int32(80) {
			var events []metadata.Event
			for n := range int32(125) {
				events = append(events, metadata.Event{KV: metadata.KV{Key: metadata.PartitionKey(topic, 125*at+n), Value: state}})
			}
			j.heard(image, events)
		}
		j.close()
	}
}

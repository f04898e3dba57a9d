package broker

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/vfs"
)

func someImage(t testing.TB) *metadata.Image {
	topic := ident.NewTopicID()
	p := metadata.EncodePartition(&metadata.Partition{Replicas: []ident.BrokerID{1}, Leader: 1, LeaderEpoch: 2, Ceiling: 10})
	contents := map[string][]byte{
		metadata.ClusterKey():           metadata.EncodeCluster(metadata.Cluster{ID: ident.NewClusterID(), BornMs: 1}),
		metadata.FormatKey():            metadata.EncodeFormat(),
		metadata.TopicKey(topic):        metadata.EncodeTopic("t", 1),
		metadata.PartitionKey(topic, 0): p,
		metadata.MemberKey(1):           metadata.EncodeBroker(&metadata.Broker{Rack: "r"}),
		metadata.FeatureKey("f"):        metadata.EncodeFeature(3),
	}
	image, err := metadata.ImageOf(42, maps.All(contents))
	if err != nil {
		t.Fatal(err)
	}
	return image
}

func TestKnownIsReadAsItWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), knownFile)
	if image, _, err := readKnown(vfs.OS, path); image != nil || err != nil {
		t.Errorf("no file is read as %v, error %v", image, err)
	}
	image := someImage(t)
	if err := writeKnown(vfs.OS, path, image, known{Ensemble: "a", Journal: 7}); err != nil {
		t.Fatal(err)
	}
	got, head, err := readKnown(vfs.OS, path)
	if err != nil || head.Ensemble != "a" || head.Journal != 7 || got.Revision() != 42 || got.ClusterID() != image.ClusterID() {
		t.Fatalf("read %v of %v, error %v", got, head, err)
	}
	if a, b := maps.Collect(got.Contents()), maps.Collect(image.Contents()); !maps.EqualFunc(a, b, bytes.Equal) {
		t.Errorf("read %q, want %q", a, b)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		damaged := bytes.Clone(data)
		damaged[i] ^= 0x40
		if _, _, err := decodeKnown(damaged); !errors.Is(err, errKnownBroken) {
			t.Fatalf("byte %d damaged: error %v", i, err)
		}
		if _, _, err := decodeKnown(data[:i]); !errors.Is(err, errKnownBroken) {
			t.Fatalf("cut at %d: error %v", i, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*.tmp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func FuzzKnown(f *testing.F) {
	var good bytes.Buffer
	if err := encodeKnown(&good, someImage(f), known{Ensemble: "a"}); err != nil {
		f.Fatal(err)
	}
	f.Add(good.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, _ = decodeKnown(data)
		for range pairs(data) {
		}
	})
}

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func sample(t *testing.T) *tree {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(binary, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	tree := newTree(time.Unix(1_700_000_000, 0))
	if err := fillProgram(tree, binary, []string{"kafka-topics.sh", "kafka-topics"}); err != nil {
		t.Fatal(err)
	}
	return tree
}

// archiveOf writes an archive of two platforms and returns its files.
func archiveOf(t *testing.T) (whole []byte, files map[string][]byte) {
	t.Helper()
	store := newBlobs()
	var manifests []descriptor
	for _, arch := range []string{"amd64", "arm64"} {
		l, err := store.addLayer(sample(t).layer())
		if err != nil {
			t.Fatal(err)
		}
		manifests = append(manifests, store.addImage(arch, "v1", time.Unix(1_700_000_000, 0).UTC(), l))
	}
	out := filepath.Join(t.TempDir(), "dist", "image.tar")
	if err := writeArchive(out, "barnabas", "v1", manifests, store); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return whole, untar(t, whole, func(h *tar.Header, content []byte) []byte { return content })
}

func untar[T any](t *testing.T, archive []byte, of func(*tar.Header, []byte) T) map[string]T {
	t.Helper()
	found := map[string]T{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = of(h, content)
	}
}

// Two builds at once, as of `make image` beside `make pods`, take turns.
func TestBuildsTakeTurns(t *testing.T) {
	cache := filepath.Join(t.TempDir(), "new", "cache")
	first, err := lockCache(t.Context(), cache)
	if err != nil {
		t.Fatal(err)
	}
	impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := lockCache(impatient, cache); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("beside another build: %v", err)
	}
	second := make(chan error)
	go func() {
		lock, err := lockCache(t.Context(), cache)
		if err == nil {
			err = lock.Close()
		}
		second <- err
	}()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Error(err)
	}
}

func TestSameSourceSameBytes(t *testing.T) {
	one, _ := archiveOf(t)
	two, _ := archiveOf(t)
	if !bytes.Equal(one, two) {
		t.Error("two builds differ")
	}
}

// Whoever loads the archive follows digests from index.json to the layers.
func TestArchiveIsAnImageLayout(t *testing.T) {
	_, files := archiveOf(t)
	blob := func(d descriptor, into any) []byte {
		t.Helper()
		content, there := files["blobs/sha256/"+d.Digest[len("sha256:"):]]
		if !there || int64(len(content)) != d.Size || digestOf(content) != d.Digest {
			t.Fatalf("%s: %d bytes, want %d", d.Digest, len(content), d.Size)
		}
		if into != nil {
			if err := json.Unmarshal(content, into); err != nil {
				t.Fatal(err)
			}
		}
		return content
	}
	var top, all index
	if err := json.Unmarshal(files["index.json"], &top); err != nil {
		t.Fatal(err)
	}
	blob(top.Manifests[0], &all)
	for i, arch := range []string{"amd64", "arm64"} {
		var m manifest
		var c imageConfig
		blob(all.Manifests[i], &m)
		blob(m.Config, &c)
		if c.Architecture != arch || all.Manifests[i].Platform.Architecture != arch || c.Config.User == "" {
			t.Errorf("%s: %+v", arch, c)
		}
		r, err := gzip.NewReader(bytes.NewReader(blob(m.Layers[0], nil)))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if digestOf(plain) != c.RootFS.DiffIDs[0] {
			t.Error("the layer is not the one of the configuration")
		}
	}
}

// Whatever user id a cluster gives the container, it can run the program and write its data.
func TestAnyUserMayRunIt(t *testing.T) {
	content, err := sample(t).layer()
	if err != nil {
		t.Fatal(err)
	}
	modes := untar(t, content, func(h *tar.Header, _ []byte) int64 { return h.Mode })
	for name, want := range map[string]int64{
		"opt/kafka/bin/barnabas": 0o755, "opt/kafka/bin/": 0o755, "data/": 0o1777, "tmp/": 0o1777, "etc/passwd": 0o644,
	} {
		if modes[name] != want {
			t.Errorf("%s has mode %o, want %o", name, modes[name], want)
		}
	}
	links := untar(t, content, func(h *tar.Header, _ []byte) string { return h.Linkname })
	if links["opt/kafka/bin/kafka-topics.sh"] != "barnabas" || links["usr/bin/start-kafka.sh"] != "/opt/kafka/bin/barnabas" {
		t.Errorf("links: %v", links)
	}
}

func TestTreeOnDisk(t *testing.T) {
	dir := t.TempDir()
	if err := sample(t).write(dir); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(filepath.Join(dir, "opt/kafka/bin/kafka-topics.sh")); err != nil || target != "barnabas" {
		t.Errorf("%q, %v", target, err)
	}
	info, err := os.Stat(filepath.Join(dir, "data"))
	if err != nil || info.Mode() != os.ModeDir|os.ModeSticky|0o777 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// Where git knows nothing, as in an unpacked archive, the version is still one that brokers take from clients.
func TestVersionWithoutGit(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("GIT_CEILING_DIRECTORIES", "/")
	t.Setenv("GIT_DIR", filepath.Join(t.TempDir(), "none"))
	t.Setenv("SOURCE_DATE_EPOCH", "1")
	o, err := parse(t.Context(), nil)
	if err != nil || o.version != "dev" {
		t.Errorf("version %q, %v", o.version, err)
	}
}

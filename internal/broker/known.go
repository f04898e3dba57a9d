package broker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"iter"
	"path/filepath"
	"slices"
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/storage"
	"barnabas/internal/unison"
	"barnabas/internal/vfs"
)

// knownFile is the last metadata that this broker knew, in the first log directory: what it puts back when the keepers
// have lost everything while it was down.
const knownFile = "metadata.known"

// The file is written at most so often: knownEvery after a change, and later in proportion to what writing costs, so
// that it takes a two-hundredth of the time at most.
const (
	knownEvery = time.Second
	knownShare = 200
)

// maxKnown bounds the file that is read, in bytes.
const maxKnown = 1 << 30

// known is the head of the file: a line of JSON, before the keys and values and a checksum (docs/formats).
type known struct {
	Version  int               `json:"version"`
	Ensemble string            `json:"ensemble"`
	Revision metadata.Revision `json:"revision"`
	Cluster  ident.ClusterID   `json:"cluster"`
	Keys     int               `json:"keys"`
	// Journal is the number of the first journal that goes on from here, 0 where a release wrote this that has none.
	Journal uint64 `json:"journal,omitempty"`
}

const knownVersion = 1

var (
	castagnoli     = crc32.MakeTable(crc32.Castagnoli)
	errKnownBroken = errors.New("it is damaged")
)

func knownPath(dir string) string { return filepath.Join(dir, knownFile) }

// keepKnown writes the metadata to the disk as it changes, until ctx ends. Keepers that live once need no such help.
func (b *Broker) keepKnown(ctx context.Context) {
	var written metadata.Revision
	var ensemble string
	for wait := knownEvery; ctx.Err() == nil; {
		pause(ctx, unison.Wait(time.Now(), knownEvery)) // with the other chores of an idle broker
		b.pauseUnlessFull(ctx, wait-knownEvery)
		if image, birth := b.feed.Current(), b.feed.Birth(); birth.Ensemble == "" || image.Revision() == written && ensemble == birth.Ensemble {
			continue
		}
		began := time.Now()
		image, of, err := b.journal.replaceKnown()
		if err != nil {
			b.logger.Warn("the metadata was not written to the disk; the keepers have it", "directory", b.journal.dir, "error", err)
		}
		if image != nil {
			written, ensemble = image.Revision(), of
		}
		wait = max(knownEvery, knownShare*time.Since(began))
	}
}

// pauseUnlessFull lets time pass until the journal is full.
func (b *Broker) pauseUnlessFull(ctx context.Context, most time.Duration) {
	if most <= 0 {
		return
	}
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-b.journal.full:
	}
}

// replaceKnown writes the whole file, and has the journals go that are not needed any more. It returns what is in the file.
func (j *journal) replaceKnown() (*metadata.Image, string, error) {
	image, of, number := j.turn()
	if image == nil {
		return nil, "", nil
	}
	path := knownPath(j.dir)
	if err := writeKnown(j.fs, path, image, known{Ensemble: of, Journal: number}); err != nil {
		return image, of, err
	}
	var size int64
	if info, err := j.fs.Stat(path); err == nil {
		size = info.Size()
	}
	return image, of, j.wrote(number, size)
}

// writeKnown replaces the file. What the head says beside the life and the journal is the Image's.
func writeKnown(fsys vfs.FS, path string, image *metadata.Image, head known) error {
	file, err := fsys.Create(path + ".tmp")
	if err != nil {
		return err
	}
	err = encodeKnown(io.NewOffsetWriter(file, 0), image, head)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return errors.Join(err, fsys.Remove(file.Name()))
	}
	if err := fsys.Rename(file.Name(), path); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(path)) // before the journals go that it replaces
}

func encodeKnown(to io.Writer, image *metadata.Image, head known) error {
	sum := crc32.New(castagnoli)
	w := bufio.NewWriterSize(io.MultiWriter(to, sum), 64<<10)
	head.Version, head.Revision, head.Cluster, head.Keys = knownVersion, image.Revision(), image.ClusterID(), 0
	for range image.Contents() {
		head.Keys++
	}
	line, err := json.Marshal(head)
	if err != nil {
		return err
	}
	w.Write(append(line, '\n'))
	var pair []byte
	for key, value := range image.Contents() {
		pair = appendField(appendField(pair[:0], key), value)
		w.Write(pair)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = to.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
	return err
}

// readKnown reads the file; nil if there is none.
func readKnown(fsys vfs.FS, path string) (*metadata.Image, known, error) {
	info, err := fsys.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, known{}, nil
	}
	if err == nil && info.Size() > maxKnown {
		err = errKnownBroken
	}
	if err != nil {
		return nil, known{}, fmt.Errorf("%s: %w", path, err)
	}
	data, err := vfs.ReadFile(fsys, path)
	if err != nil {
		return nil, known{}, err
	}
	image, head, err := decodeKnown(data)
	if err != nil {
		return nil, known{}, fmt.Errorf("%s: %w", path, err)
	}
	return image, head, nil
}

func decodeKnown(data []byte) (*metadata.Image, known, error) {
	if len(data) < 4 || crc32.Checksum(data[:len(data)-4], castagnoli) != binary.BigEndian.Uint32(data[len(data)-4:]) {
		return nil, known{}, errKnownBroken
	}
	line, rest, _ := bytes.Cut(data[:len(data)-4], []byte("\n"))
	var head known
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, known{}, errKnownBroken
	}
	if head.Version > knownVersion {
		return nil, known{}, fmt.Errorf("%w: version %d", metadata.ErrNewerFormat, head.Version)
	}
	count := 0
	image, err := metadata.ImageOf(head.Revision, func(yield func(string, []byte) bool) {
		for key, value := range pairs(rest) {
			count++
			if !yield(key, value) {
				return
			}
		}
	})
	if err != nil {
		return nil, known{}, err
	}
	if count != head.Keys {
		return nil, known{}, errKnownBroken
	}
	return image, head, nil
}

// pairs are keys and values, each after its length, up to the first that is cut short.
func pairs(data []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for d := (fields{rest: data}); len(d.rest) > 0; {
			key, value := d.field(), d.field()
			if d.failed || !yield(string(key), value) {
				return
			}
		}
	}
}

// restoreKnown puts back what the files have, if the keepers have lost it.
func (b *Broker) restoreKnown(ctx context.Context) error {
	known, err := readKnowledge(b.options.FS, b.config.LogDirs[0])
	if err != nil {
		b.logger.Warn("the metadata on the disk is damaged; the keepers have it", "used", known.image != nil, "error", err)
	}
	// What a machine took with it when it went down nobody knows.
	known.complete = known.complete && !slices.ContainsFunc(b.store.Dirs(), (*storage.Directory).Torn)
	return b.patiently(ctx, func() error {
		birth, err := metadata.BirthOf(ctx, b.meta.store)
		if err != nil {
			return err
		}
		if known.image == nil || birth.Ensemble == "" || birth.Ensemble == known.ensemble {
			b.told.Store(&told{life: birth.Ensemble})
			return nil
		}
		return b.putBack(ctx, known, birth)
	})
}

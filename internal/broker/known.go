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
	"time"

	"barnabas/internal/ident"
	"barnabas/internal/metadata"
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
}

const knownVersion = 1

var (
	castagnoli     = crc32.MakeTable(crc32.Castagnoli)
	errKnownBroken = errors.New("it is damaged")
)

// keepKnown writes the metadata to the disk as it changes, until ctx ends. Keepers that live once need no such help.
func (b *Broker) keepKnown(ctx context.Context) {
	path := filepath.Join(b.config.LogDirs[0], knownFile)
	var written metadata.Revision
	var ensemble string
	for wait := knownEvery; ctx.Err() == nil; {
		if wait == knownEvery {
			pause(ctx, unison.Wait(time.Now(), wait)) // with the other chores of an idle broker
		} else {
			pause(ctx, wait)
		}
		image, birth := b.feed.Current(), b.feed.Birth()
		if birth.Ensemble == "" || image.Revision() < birth.Since || image.Revision() == written && ensemble == birth.Ensemble {
			continue
		}
		began := time.Now()
		if err := writeKnown(b.options.FS, path, image, birth.Ensemble); err != nil {
			b.logger.Warn("the metadata was not written to the disk; the keepers have it", "file", path, "error", err)
		}
		written, ensemble = image.Revision(), birth.Ensemble
		wait = max(knownEvery, knownShare*time.Since(began))
	}
}

// writeKnown replaces the file.
func writeKnown(fsys vfs.FS, path string, image *metadata.Image, ensemble string) error {
	file, err := fsys.Create(path + ".tmp")
	if err != nil {
		return err
	}
	err = encodeKnown(io.NewOffsetWriter(file, 0), image, ensemble)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return errors.Join(err, fsys.Remove(file.Name()))
	}
	return fsys.Rename(file.Name(), path)
}

func encodeKnown(to io.Writer, image *metadata.Image, ensemble string) error {
	sum := crc32.New(castagnoli)
	w := bufio.NewWriterSize(io.MultiWriter(to, sum), 64<<10)
	keys := 0
	for range image.Contents() {
		keys++
	}
	head, err := json.Marshal(known{knownVersion, ensemble, image.Revision(), image.ClusterID(), keys})
	if err != nil {
		return err
	}
	w.Write(append(head, '\n'))
	var length [binary.MaxVarintLen64]byte
	for key, value := range image.Contents() {
		w.Write(length[:binary.PutUvarint(length[:], uint64(len(key)))])
		w.WriteString(key)
		w.Write(length[:binary.PutUvarint(length[:], uint64(len(value)))])
		w.Write(value)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err = to.Write(binary.BigEndian.AppendUint32(nil, sum.Sum32()))
	return err
}

// readKnown reads the file; nil if there is none.
func readKnown(fsys vfs.FS, path string) (*metadata.Image, string, error) {
	info, err := fsys.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err == nil && info.Size() > maxKnown {
		err = errKnownBroken
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	data, err := vfs.ReadFile(fsys, path)
	if err != nil {
		return nil, "", err
	}
	image, ensemble, err := decodeKnown(data)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return image, ensemble, nil
}

func decodeKnown(data []byte) (*metadata.Image, string, error) {
	if len(data) < 4 || crc32.Checksum(data[:len(data)-4], castagnoli) != binary.BigEndian.Uint32(data[len(data)-4:]) {
		return nil, "", errKnownBroken
	}
	line, rest, _ := bytes.Cut(data[:len(data)-4], []byte("\n"))
	var head known
	if err := json.Unmarshal(line, &head); err != nil {
		return nil, "", errKnownBroken
	}
	if head.Version > knownVersion {
		return nil, "", fmt.Errorf("%w: version %d", metadata.ErrNewerFormat, head.Version)
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
		return nil, "", err
	}
	if count != head.Keys {
		return nil, "", errKnownBroken
	}
	return image, head.Ensemble, nil
}

// pairs are keys and values, each after its length, up to the first that is cut short.
func pairs(data []byte) iter.Seq2[string, []byte] {
	next := func() ([]byte, bool) {
		n, size := binary.Uvarint(data)
		if size <= 0 || n > uint64(len(data)-size) {
			return nil, false
		}
		field := data[size : size+int(n)]
		data = data[size+int(n):]
		return field, true
	}
	return func(yield func(string, []byte) bool) {
		for len(data) > 0 {
			key, ok := next()
			value, also := next()
			if !ok || !also || !yield(string(key), value) {
				return
			}
		}
	}
}

// restoreKnown puts back what the file has, if the keepers have lost it.
func (b *Broker) restoreKnown(ctx context.Context) error {
	image, ensemble, err := readKnown(b.options.FS, filepath.Join(b.config.LogDirs[0], knownFile))
	if err != nil {
		b.logger.Warn("the metadata on the disk is of no use; the keepers have it", "error", err)
		return nil
	}
	if image == nil {
		return nil
	}
	return b.patiently(ctx, func() error {
		birth, err := metadata.BirthOf(ctx, b.meta.store)
		if err != nil || birth.Ensemble == "" || birth.Ensemble == ensemble {
			return err
		}
		return b.reborn(ctx, image, metadata.Birth{Ensemble: ensemble}, birth)
	})
}

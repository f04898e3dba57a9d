package broker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"

	"barnabas/internal/metadata"
	"barnabas/internal/vfs"
)

// knowledge is what the files in a log directory tell of the metadata.
type knowledge struct {
	image    *metadata.Image // nil for nothing
	ensemble string          // the life that it is of
	// complete says that nobody here has acted on anything later, unless the machine went down since: there are all journals.
	complete bool
}

// readKnowledge reads metadata.known and what the journals have beside it. With an error comes what can be read.
func readKnowledge(fsys vfs.FS, dir string) (knowledge, error) {
	image, head, err := readKnown(fsys, knownPath(dir))
	known := knowledge{image: image, ensemble: head.Ensemble}
	if image != nil && head.Journal == 0 {
		return known, nil // a release wrote it that has no journals: those that are there are of before
	}
	numbers, listed := journals(fsys, dir)
	if errors.Is(listed, fs.ErrNotExist) {
		return known, err
	}
	for _, number := range numbers {
		if number < head.Journal {
			continue
		}
		path := journalPath(dir, number)
		data, failed := readJournal(fsys, path)
		if failed == nil {
			failed = known.add(data)
		}
		if failed != nil {
			known.complete = false
			err = errors.Join(err, fmt.Errorf("%s: %w", path, failed))
		}
	}
	return known, errors.Join(err, listed)
}

func readJournal(fsys vfs.FS, path string) ([]byte, error) {
	info, err := fsys.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxKnown {
		return nil, errKnownBroken
	}
	return vfs.ReadFile(fsys, path)
}

// add goes on with a journal. What ends in the middle of a record ends before it: nobody has acted on that.
func (k *knowledge) add(data []byte) error {
	line, rest, whole := bytes.Cut(data, []byte("\n"))
	if !whole {
		return nil // nothing was written into it
	}
	var head journalHead
	if err := json.Unmarshal(line, &head); err != nil {
		return errKnownBroken
	}
	if head.Version > journalVersion {
		return fmt.Errorf("%w: version %d", metadata.ErrNewerFormat, head.Version)
	}
	if head.From > 0 { // else a whole Image comes first, or nobody has acted on it yet
		k.complete = k.goesOn(head.Ensemble, head.From)
	}
	for len(rest) >= frameSize {
		size, sum := binary.BigEndian.Uint32(rest), binary.BigEndian.Uint32(rest[4:])
		if uint64(size) > uint64(len(rest)-frameSize) {
			return nil
		}
		body := rest[frameSize : frameSize+int(size)]
		if crc32.Checksum(body, castagnoli) != sum {
			return errKnownBroken
		}
		if err := k.take(body); err != nil {
			k.complete = false
			return err
		}
		rest = rest[frameSize+int(size):]
	}
	return nil
}

// goesOn tells whether nothing is missing before what goes on from a revision.
func (k *knowledge) goesOn(of string, from metadata.Revision) bool {
	return k.image != nil && from > 0 && of == k.ensemble && from <= k.image.Revision()
}

// take adds a record, unless it is known already, or something is missing before it.
func (k *knowledge) take(body []byte) error {
	r, err := decodeRecord(body)
	if err != nil {
		return err
	}
	known := k.image != nil && r.of == k.ensemble && r.revision <= k.image.Revision()
	switch {
	case r.kind == wholeRecord:
		k.complete = true
		if known {
			return nil
		}
		image, _, err := metadata.NewImage().Apply(r.revision, r.events)
		if err != nil {
			return err
		}
		k.image, k.ensemble = image, r.of
	case known || !k.complete:
	case !k.goesOn(r.of, r.from):
		k.complete = false
	default:
		image, _, err := k.image.Apply(r.revision, r.events)
		if err != nil {
			return err
		}
		k.image = image
	}
	return nil
}

package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"barnabas/internal/metadata"
	"barnabas/internal/vfs"
)

// journalPrefix begins the names of the files with what has changed since metadata.known was written; a number follows
// (docs/formats/keeper.md).
const journalPrefix = "metadata.journal."

const (
	// journalBound is when a journal is full, in bytes beside the whole Image that it may begin with; one that is larger than the
	// last whole Image is full then only. A full one has metadata.known written at once.
	journalBound = 4 << 20
	// journalExcess is how many times as long it may grow until that is done. Then there is none for a while.
	journalExcess = 8
)

// journal is where each change of the metadata is written before anything here acts on it, so that what this broker knows
// on its disk is never older than what it has acknowledged records by. Nothing is synced: it outlives the process, and of a
// machine that crashes metadata.known alone is sure. It is for keepers that may live again; of others it keeps nothing.
//
// Journals are numbered, and metadata.known has the number of the first one that goes on from it. While it is written anew
// the next one takes what changes, and when that is done those before it go: a death at any point leaves a whole Image and
// all journals since. Where one could not be written there is none, until metadata.known is new: a journal that has a gap
// would pass for one that has all.
type journal struct {
	fs     vfs.FS
	dir    string
	birth  func() metadata.Birth
	logger *slog.Logger
	full   chan struct{} // one place: the whole file is due

	mu     sync.Mutex
	image  *metadata.Image   // guarded by mu: the last that was told of, or nil
	of     string            // guarded by mu: the life that it is of
	last   metadata.Revision // guarded by mu: up to where the journals have everything
	file   vfs.File          // guarded by mu: nil while there is none
	number uint64            // guarded by mu: that of the file, or of the last one
	turned bool              // guarded by mu: the whole file that goes before the file is not there yet
	closed bool              // guarded by mu
	size   int64             // guarded by mu: of the file
	since  int64             // guarded by mu: bytes of changes since the last whole file
	bound  int64             // guarded by mu
	record []byte            // guarded by mu: the memory of the last one
}

// newJournal goes on behind the journals that are there.
func newJournal(fsys vfs.FS, dir string, birth func() metadata.Birth, logger *slog.Logger) *journal {
	j := &journal{fs: fsys, dir: dir, birth: birth, logger: logger, full: make(chan struct{}, 1), bound: journalBound}
	if numbers, err := journals(fsys, dir); err == nil && len(numbers) > 0 {
		j.number = numbers[len(numbers)-1]
	}
	return j
}

// heard is told of each Image before anybody acts on it, on the feed's goroutine. An error of the disk is a warning: the
// keepers have it all.
func (j *journal) heard(image *metadata.Image, events []metadata.Event) {
	of := j.birth().Ensemble
	if of == "" {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.image, j.of = image, of
	switch {
	case j.closed:
	case events == nil:
		j.whole()
	case j.file == nil:
		j.last = image.Revision() // whoever reads the next one sees that it lacks what is before
	default:
		if j.record = appendChange(j.record[:0], of, j.last, image.Revision(), events); len(j.record) > 0 {
			j.append(&j.since)
		}
	}
}

// whole has what was read as a whole in the journal. mu is held.
func (j *journal) whole() {
	if j.file == nil && !j.open(0) {
		return
	}
	j.record = appendWhole(j.record[:0], j.of, j.image)
	j.bound = max(journalBound, int64(len(j.record)))
	var apart int64 // from the changes
	j.append(&apart)
	j.record = nil // it may be large
}

// open begins the next file, which goes on from a revision, 0 where it begins with a whole Image. mu is held.
func (j *journal) open(from metadata.Revision) bool {
	j.number++
	file, err := j.fs.Create(j.path(j.number))
	head := encodeJournalHead(journalHead{journalVersion, j.of, from})
	if err == nil {
		_, err = file.WriteAt(head, 0)
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}
	if err != nil {
		j.giveUp(err)
		return false
	}
	j.file, j.size = file, int64(len(head))
	return true
}

// append writes the record, and counts its bytes. mu is held.
func (j *journal) append(count *int64) {
	if _, err := j.file.WriteAt(j.record, j.size); err != nil {
		j.giveUp(err)
		return
	}
	j.size, j.last = j.size+int64(len(j.record)), j.image.Revision()
	*count += int64(len(j.record))
	if j.since > journalExcess*j.bound {
		j.giveUp(fmt.Errorf("it has %d bytes, and %s could not be written for so long", j.size, knownFile))
		return
	}
	if j.since > j.bound {
		select {
		case j.full <- struct{}{}:
		default:
		}
	}
}

// giveUp has no journal until the whole file is new. mu is held.
func (j *journal) giveUp(cause error) {
	j.logger.Warn("what changes in the metadata is not written to the disk until all of it is; the keepers have it", "directory", j.dir, "error", cause)
	j.release()
	j.last = j.image.Revision()
	if err := j.remove(j.number + 1); err != nil {
		j.logger.Warn("journals of the metadata that lack something can't be removed", "directory", j.dir, "error", err)
	}
	j.turned = false
	select {
	case j.full <- struct{}{}:
	default:
	}
}

// turn begins the next journal, and returns what the whole file is to have, and the number of the journal that goes on from
// it. Nil where nothing is known yet.
func (j *journal) turn() (image *metadata.Image, of string, number uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.image == nil || j.closed {
		return nil, "", 0
	}
	if !j.turned {
		j.release()
		j.turned = j.open(j.last)
	}
	return j.image, j.of, j.number
}

// wrote is told that the whole file is there: what goes before the journal of that number is not needed any more.
func (j *journal) wrote(number uint64, size int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if number != j.number || !j.turned {
		return nil // it was given up meanwhile
	}
	j.turned, j.since, j.bound = false, 0, max(journalBound, size)
	return j.remove(number)
}

// remove takes away the journals before that number. The one that is written is not among them.
func (j *journal) remove(before uint64) error {
	numbers, err := journals(j.fs, j.dir)
	for _, number := range numbers {
		if number < before {
			err = errors.Join(err, j.fs.Remove(j.path(number)))
		}
	}
	return err
}

// release closes the file. mu is held.
func (j *journal) release() {
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
}

// close ends it; what comes later is not written.
func (j *journal) close() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed = true
	j.release()
}

func (j *journal) path(number uint64) string { return journalPath(j.dir, number) }

func journalPath(dir string, number uint64) string {
	return filepath.Join(dir, journalPrefix+strconv.FormatUint(number, 10))
}

// journals are the numbers of those in a directory, the oldest first.
func journals(fsys vfs.FS, dir string) ([]uint64, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, e := range entries {
		if text, ok := strings.CutPrefix(e.Name(), journalPrefix); ok {
			if number, err := strconv.ParseUint(text, 10, 64); err == nil && number > 0 {
				numbers = append(numbers, number)
			}
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

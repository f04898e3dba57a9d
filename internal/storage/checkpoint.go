package storage

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"barnabas/internal/ident"
	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// A checkpoint file is text: a version, the number of entries, then an entry per line. It is replaced
// as a whole.
const checkpointVersion = 0

// errMalformed says that a checkpoint or properties file can't be understood.
var errMalformed = errors.New("malformed file")

// offsetCheckpoint is an offset for each of some partitions.
type offsetCheckpoint map[ident.TopicPartition]record.Offset

// readOffsetCheckpoint reads a directory's file; one that is missing is empty.
func readOffsetCheckpoint(fsys vfs.FS, path string) (offsetCheckpoint, error) {
	data, err := vfs.ReadFile(fsys, path)
	if errors.Is(err, fs.ErrNotExist) {
		return offsetCheckpoint{}, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := parseOffsetCheckpoint(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

func parseOffsetCheckpoint(data []byte) (offsetCheckpoint, error) {
	c := offsetCheckpoint{}
	err := parseCheckpoint(data, func(fields []string) error {
		if len(fields) != 3 {
			return errMalformed
		}
		partition, err := strconv.ParseInt(fields[1], 10, 32)
		if err != nil {
			return err
		}
		offset, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return err
		}
		c[ident.TopicPartition{Topic: fields[0], Partition: int32(partition)}] = record.Offset(offset)
		return nil
	})
	return c, err
}

func (c offsetCheckpoint) encode() []byte {
	buf := make([]byte, 0, 16+40*len(c))
	buf = fmt.Appendf(buf, "%d\n%d\n", checkpointVersion, len(c))
	for tp, offset := range c {
		buf = append(buf, tp.Topic...)
		buf = append(buf, ' ')
		buf = strconv.AppendInt(buf, int64(tp.Partition), 10)
		buf = append(buf, ' ')
		buf = strconv.AppendInt(buf, int64(offset), 10)
		buf = append(buf, '\n')
	}
	return buf
}

// parseCheckpoint calls entry with every line's fields. A last line without its end is malformed: a
// crash may have cut a number short.
func parseCheckpoint(data []byte, entry func(fields []string) error) error {
	if !bytes.HasSuffix(data, []byte("\n")) {
		return fmt.Errorf("cut short after %d bytes: %w", len(data), errMalformed)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	next := func() (string, bool) {
		if !lines.Scan() {
			return "", false
		}
		return strings.TrimSpace(lines.Text()), true
	}
	version, _ := next()
	if version != strconv.Itoa(checkpointVersion) {
		return fmt.Errorf("version %q: %w", version, errMalformed)
	}
	text, _ := next()
	want, err := strconv.Atoi(text)
	if err != nil || want < 0 {
		return fmt.Errorf("entry count %q: %w", text, errMalformed)
	}
	found := 0
	for line, ok := next(); ok; line, ok = next() {
		if line == "" {
			continue
		}
		if err := entry(strings.Fields(line)); err != nil {
			return fmt.Errorf("line %d: %w", found+3, errors.Join(errMalformed, err))
		}
		found++
	}
	if found != want || lines.Err() != nil {
		return fmt.Errorf("%d entries announced, %d found: %w", want, found, errMalformed)
	}
	return nil
}

// writeNewFile writes a small file that nobody reads yet.
func writeNewFile(fsys vfs.FS, path string, data []byte) error {
	f, err := fsys.Create(path)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	return errors.Join(err, f.Close())
}

// syncFile makes a small file's content survive a crash of the machine. One that doesn't exist needs
// nothing.
func syncFile(fsys vfs.FS, path string) error {
	f, err := fsys.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// writeCheckpoint replaces one of a directory's checkpoint files, so that a crash leaves the old or
// the new one.
func (d *Directory) writeCheckpoint(name string, c offsetCheckpoint) error {
	return vfs.WriteFileAtomic(d.store.fs, filepath.Join(d.path, name), c.encode())
}

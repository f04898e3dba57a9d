package cli

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"barnabas/internal/record"
	"barnabas/internal/vfs"
)

// log shows the batches of a segment.
func (d *dump) log(ctx context.Context, path string) error {
	file, err := d.fs.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return err
	}
	end := min(size, d.maxBytes)
	bar := d.env.progress(end)
	defer bar.clear()
	walk := batchWalk{file: file, end: end}
	last := int64(-1) // the last record's offset
	for ctx.Err() == nil {
		b, err := walk.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		position := walk.pos - int64(b.Size())
		if err := d.batch(path, b, position, &last); err != nil {
			return err
		}
		bar.at(walk.pos)
	}
	bar.clear()
	if left := end - walk.pos; left > 0 && d.maxBytes == math.MaxInt32 && ctx.Err() == nil {
		fmt.Fprintf(d.out, "Found %d invalid bytes at the end of %s\n", left, baseName(path))
	}
	return nil
}

func baseName(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// batchWalk walks the batches of a file up to end. What is too short to be a batch ends it, as a torn
// tail; what can't be one is an error.
type batchWalk struct {
	file vfs.File
	pos  int64 // of the next batch
	end  int64
	buf  []byte
}

// next returns the next batch, valid until the following call.
func (w *batchWalk) next() (record.Batch, error) {
	if w.end-w.pos < record.HeaderSize {
		return nil, io.EOF
	}
	w.grow(record.HeaderSize)
	if _, err := w.file.ReadAt(w.buf[:record.HeaderSize], w.pos); err != nil {
		return nil, fmt.Errorf("read at %d: %w", w.pos, err)
	}
	size, err := record.PeekSize(w.buf[:record.HeaderSize])
	if err != nil {
		return nil, fmt.Errorf("position %d: %w", w.pos, err)
	}
	if int64(size) > w.end-w.pos {
		return nil, io.EOF
	}
	w.grow(size)
	if _, err := w.file.ReadAt(w.buf[:size], w.pos); err != nil {
		return nil, fmt.Errorf("read at %d: %w", w.pos, err)
	}
	b, _, err := record.Next(w.buf[:size])
	if err != nil {
		return nil, fmt.Errorf("position %d: %w", w.pos, err)
	}
	w.pos += int64(size)
	return b, nil
}

func (w *batchWalk) grow(size int) {
	if cap(w.buf) < size {
		w.buf = make([]byte, max(size, 2*cap(w.buf)))
	}
	w.buf = w.buf[:cap(w.buf)]
}

// batch shows one batch, and its records if they are wanted.
func (d *dump) batch(path string, b record.Batch, position int64, last *int64) error {
	horizon, dated := b.DeleteHorizon()
	fmt.Fprintf(d.out, "baseOffset: %d lastOffset: %d count: %d baseSequence: %d lastSequence: %d producerId: %d "+
		"producerEpoch: %d partitionLeaderEpoch: %d isTransactional: %t isControl: %t deleteHorizonMs: %s",
		b.BaseOffset(), b.LastOffset(), b.Count(), b.BaseSequence(), b.LastSequence(), b.ProducerID(),
		b.ProducerEpoch(), b.LeaderEpoch(), b.IsTransactional(), b.IsControl(), optionalLong(horizon, dated))
	fmt.Fprintf(d.out, " position: %d %s: %d size: %d magic: %d compresscodec: %s crc: %d isvalid: %t\n",
		position, timestampKind(b), b.MaxTimestamp(), b.Size(), b.Magic(), b.Codec(), b.CRC(), b.ComputeCRC() == b.CRC())
	if !d.deep {
		return nil
	}
	var r record.Reader
	r.Reset(b, &d.decompressor)
	defer r.Close()
	for r.Next() {
		rec := r.Record()
		if int64(rec.Offset) != *last+1 {
			d.gaps.add(path, *last, int64(rec.Offset))
		}
		*last = int64(rec.Offset)
		if err := d.record(b, rec); err != nil {
			return err
		}
	}
	if err := r.Err(); err != nil {
		return fmt.Errorf("batch at position %d: %w", position, err)
	}
	return nil
}

func timestampKind(b record.Batch) string {
	if b.TimestampType() == record.LogAppendTime {
		return "LogAppendTime"
	}
	return "CreateTime"
}

// record shows one record on a line.
func (d *dump) record(b record.Batch, rec *record.Record) error {
	prefix := "| "
	if !d.skipMetadata {
		sequence := record.NoSequence
		if b.BaseSequence() != record.NoSequence {
			sequence = b.BaseSequence().Add(rec.OffsetDelta)
		}
		fmt.Fprintf(d.out, "| offset: %d %s: %d keySize: %d valueSize: %d sequence: %d headerKeys: [%s]",
			rec.Offset, timestampKind(b), rec.Timestamp, sizeOrNull(rec.Key), sizeOrNull(rec.Value), sequence, headerKeys(rec))
		if b.IsControl() {
			if err := d.control(rec); err != nil {
				return err
			}
		}
		prefix = " "
	}
	if d.contents && !b.IsControl() {
		key, value, err := d.decode(rec)
		if err != nil {
			return fmt.Errorf("record at offset %d: %w", rec.Offset, err)
		}
		if key != nil {
			fmt.Fprintf(d.out, "%skey: %s", prefix, *key)
			prefix = " "
		}
		if value != nil {
			fmt.Fprintf(d.out, "%spayload: %s", prefix, *value)
		}
	}
	fmt.Fprintln(d.out)
	return nil
}

func sizeOrNull(data []byte) int {
	if data == nil {
		return -1
	}
	return len(data)
}

func headerKeys(rec *record.Record) string {
	var keys []string
	headers := rec.Headers()
	for key, _, ok := headers.Next(); ok; key, _, ok = headers.Next() {
		keys = append(keys, string(key))
	}
	return strings.Join(keys, ",")
}

// control shows what a control record says.
func (d *dump) control(rec *record.Record) error {
	if len(rec.Key) < 4 {
		return fmt.Errorf("control record at offset %d has a key of %d bytes: %w", rec.Offset, len(rec.Key), record.ErrCorrupt)
	}
	kind := int16(binary.BigEndian.Uint16(rec.Key[2:]))
	switch record.ControlType(kind) {
	case record.ControlAbort, record.ControlCommit:
		if len(rec.Value) < 6 {
			return fmt.Errorf("marker at offset %d has a value of %d bytes: %w", rec.Offset, len(rec.Value), record.ErrCorrupt)
		}
		name := "ABORT"
		if record.ControlType(kind) == record.ControlCommit {
			name = "COMMIT"
		}
		fmt.Fprintf(d.out, " endTxnMarker: %s coordinatorEpoch: %d", name, int32(binary.BigEndian.Uint32(rec.Value[2:])))
		return nil
	}
	fmt.Fprintf(d.out, " controlType: %s(%d)", controlName(kind), kind)
	return nil
}

// controlName is Kafka's name of a control record that only its own metadata log has.
func controlName(kind int16) string {
	names := []string{2: "LEADER_CHANGE", 3: "SNAPSHOT_HEADER", 4: "SNAPSHOT_FOOTER", 5: "KRAFT_VERSION", 6: "KRAFT_VOTERS"}
	if kind > 1 && int(kind) < len(names) {
		return names[kind]
	}
	return "UNKNOWN"
}

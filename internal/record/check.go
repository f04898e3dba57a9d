package record

import (
	"fmt"
)

// Limits say what Check takes. The zero value is what a producer may send, of any size.
type Limits struct {
	// MaxSize bounds the batch in bytes, header included; 0 is no bound.
	MaxSize int
	// Control allows control batches, which clients may not write.
	Control bool
	// Sparse allows what compaction leaves behind: fewer records than offsets, even none.
	Sparse bool
}

// StoredLimits are for batches that come from a log: a leader's or one's own.
var StoredLimits = Limits{Control: true, Sparse: true}

// Check verifies a batch without looking at its records: its size, magic, CRC and attributes, and that
// count and offsets agree. It allocates nothing unless it fails. Errors: ErrShort, ErrTooLarge,
// ErrUnsupportedMagic, ErrCorrupt, ErrUnsupportedCodec, ErrInvalid.
func (b Batch) Check(limits Limits) error {
	if len(b) < HeaderSize {
		return ErrShort
	}
	size, err := PeekSize(b)
	if err != nil {
		return err
	}
	if size != len(b) {
		return fmt.Errorf("%d bytes claim to be %d: %w", len(b), size, ErrCorrupt)
	}
	if limits.MaxSize > 0 && size > limits.MaxSize {
		return fmt.Errorf("%d bytes, limit %d: %w", size, limits.MaxSize, ErrTooLarge)
	}
	if stored, computed := b.CRC(), b.ComputeCRC(); stored != computed {
		return fmt.Errorf("stored CRC %08x, computed %08x: %w", stored, computed, ErrCorrupt)
	}
	if codec := b.Codec(); !codec.Valid() {
		return fmt.Errorf("%s: %w", codec, ErrUnsupportedCodec)
	}
	return b.checkFields(limits)
}

func (b Batch) checkFields(limits Limits) error {
	count, delta := b.Count(), b.LastOffsetDelta()
	switch {
	case b.BaseOffset() < 0 && limits.Sparse:
		return fmt.Errorf("base offset %d: %w", b.BaseOffset(), ErrCorrupt)
	case delta < 0 || count < 0 || int64(count) > int64(delta)+1:
		return fmt.Errorf("%d records in %d offsets: %w", count, int64(delta)+1, ErrInvalid)
	case !limits.Sparse && int64(count) != int64(delta)+1:
		return fmt.Errorf("%d records in %d offsets: %w", count, int64(delta)+1, ErrInvalid)
	case int64(count)*(minRecordBody+1) > int64(len(b.Payload())) && b.Codec() == None:
		return fmt.Errorf("%d records in %d bytes: %w", count, len(b.Payload()), ErrInvalid)
	case !limits.Control && b.IsControl():
		return fmt.Errorf("clients may not write control records: %w", ErrInvalid)
	case !limits.Control && b.HasProducerID() && b.BaseSequence() < 0:
		return fmt.Errorf("sequence %d of producer %d: %w", b.BaseSequence(), b.ProducerID(), ErrInvalid)
	}
	return nil
}

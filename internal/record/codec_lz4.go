package record

import (
	"bytes"
	"io"
	"sync"

	"github.com/pierrec/lz4/v4"
)

type lz4Expander struct {
	in  bytes.Reader
	out *lz4.Reader
}

var lz4Expanders = sync.Pool{New: func() any { return &lz4Expander{out: lz4.NewReader(nil)} }}

func openLZ4(payload []byte) (expander, error) {
	e := lz4Expanders.Get().(*lz4Expander)
	e.in.Reset(payload)
	e.out.Reset(&e.in)
	return e, nil
}

func (e *lz4Expander) Read(buf []byte) (int, error) {
	n, err := e.out.Read(buf)
	if err == io.EOF && n == 0 && e.out.Size() < 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (e *lz4Expander) release() {
	e.in.Reset(nil)
	e.out.Reset(nil)
	lz4Expanders.Put(e)
}

// lz4Levels are by Kafka's numbers, where the default, 9, stands for the fast compressor and
// all others for the thorough one (KIP-390).
var lz4Levels = [...]lz4.CompressionLevel{
	lz4.Fast, lz4.Level1, lz4.Level2, lz4.Level3, lz4.Level4, lz4.Level5, lz4.Level6, lz4.Level7,
	lz4.Level8, lz4.Fast, lz4.Level9,
}

var lz4Writers [len(lz4Levels)]sync.Pool

// lz4Packer is a pooled writer.
type lz4Packer struct {
	*lz4.Writer
	level int
}

func (p lz4Packer) release() { lz4Writers[p.level].Put(p.Writer) }

func packLZ4(out io.Writer, level int) (packer, error) {
	level = min(max(level, 0), len(lz4Levels)-1)
	w, _ := lz4Writers[level].Get().(*lz4.Writer)
	if w == nil {
		w = lz4.NewWriter(out)
		err := w.Apply(lz4.ConcurrencyOption(1), lz4.BlockSizeOption(lz4.Block64Kb),
			lz4.ChecksumOption(false), lz4.CompressionLevelOption(lz4Levels[level]))
		if err != nil {
			return nil, err
		}
	}
	w.Reset(out)
	return lz4Packer{w, level}, nil
}

package record

import (
	"fmt"
	"math"
	"strings"
)

// Codec is a compression of the records of a batch, by its number in the batch's attributes.
type Codec int8

// The codecs of Kafka.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

var codecNames = [...]string{"none", "gzip", "snappy", "lz4", "zstd"}

// Valid tells whether the codec is one of those above.
func (c Codec) Valid() bool { return c >= None && c <= Zstd }

// String is the codec's name in configurations.
func (c Codec) String() string {
	if !c.Valid() {
		return fmt.Sprintf("codec(%d)", int8(c))
	}
	return codecNames[c]
}

// ParseCodec reads a codec's name. "uncompressed", which topics may have, is None.
func ParseCodec(name string) (Codec, error) {
	name = strings.ToLower(name)
	if name == "uncompressed" {
		return None, nil
	}
	for i, known := range codecNames {
		if name == known {
			return Codec(i), nil
		}
	}
	return None, fmt.Errorf("%q: %w", name, ErrUnsupportedCodec)
}

// The levels that stand for 0, "the codec's default", in Compress (KIP-390).
const (
	DefaultGzipLevel = -1
	DefaultLZ4Level  = 9
	DefaultZstdLevel = 3
)

// Compress appends src, compressed, to dst; codec None appends it as it is. level is on the codec's own
// scale as Kafka has it: gzip 1 to 9, lz4 1 to 17, zstd -131072 to 22, and 0 for the default; a level
// outside is taken for the nearest, gzip's for the default. Snappy has none.
func (c Codec) Compress(dst, src []byte, level int) ([]byte, error) {
	switch c {
	case None:
		return append(dst, src...), nil
	case Snappy:
		return compressSnappy(dst, src), nil
	case Zstd:
		return compressZstd(dst, src, level)
	}
	out := packed{bytes: dst, max: math.MaxInt}
	p, err := newPacker(c, &out, level)
	if err != nil {
		return dst, err
	}
	defer p.release()
	if _, err := p.Write(src); err != nil {
		return dst, err
	}
	if err := p.Close(); err != nil {
		return dst, err
	}
	return out.bytes, nil
}

package record

import (
	"fmt"
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

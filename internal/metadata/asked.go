package metadata

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Asked is a request that a keeper has for the controller: a ZooKeeper client of its wants something changed. The
// controller's broker puts its answer in the request's place. Both hang on the keeper's lease.
type Asked struct {
	// Answered tells an answer from a request.
	Answered bool
	// Lease is the one that the keeper's key hangs on.
	Lease LeaseID
	// Frame is a request of Kafka's protocol, header and body without the size, or the answer to it.
	Frame []byte
}

// AskedPrefix is the prefix of the keys of what keepers ask.
func AskedPrefix() string { return askedPrefix }

// AskedKey holds what a keeper asks under a name that is its own.
func AskedKey(name string) string { return askedPrefix + name }

// AskedName is the name of what is asked in a key.
func AskedName(key string) (string, bool) { return strings.CutPrefix(key, askedPrefix) }

const (
	askedVersion = 1
	askedHeader  = 1 + 1 + 8
)

// EncodeAsked is the value of an AskedKey.
func EncodeAsked(a Asked) []byte {
	b := []byte{askedVersion, 0}
	if a.Answered {
		b[1] = 1
	}
	return append(binary.BigEndian.AppendUint64(b, uint64(a.Lease)), a.Frame...)
}

// DecodeAsked reads the value of an AskedKey.
func DecodeAsked(value []byte) (Asked, error) {
	if len(value) < askedHeader || value[0] != askedVersion || value[1] > 1 {
		return Asked{}, fmt.Errorf("%w: what a keeper asks: %.10x", ErrCorrupt, value)
	}
	return Asked{
		Answered: value[1] == 1, Lease: LeaseID(binary.BigEndian.Uint64(value[2:])), Frame: value[askedHeader:],
	}, nil
}

package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Header is what every request begins with.
type Header struct {
	Key           int16
	Version       int16
	CorrelationID int32
	// ClientID is what the client calls itself; Kafka treats none and an empty one alike.
	ClientID string
}

// ErrMalformed is a frame that is not what its header says it is. Kafka closes the connection.
var ErrMalformed = errors.New("malformed request")

// ErrUnsupported is a key or a version that no table row serves. Kafka closes the connection, but
// for ApiVersions, which answers in version 0.
var ErrUnsupported = errors.New("unsupported request")

// minHeader is key, version and correlation id.
const minHeader = 8

// KeyApiVersions is the one request whose response header never grew tagged fields (KIP-511), so
// that a client that knows no version yet can read it.
const KeyApiVersions = 18

// ParseHeader reads a request's header, version 0 (ControlledShutdown's first version, which carried
// no client id), 1 or 2 (flexible), and returns the body that follows. The error wraps ErrMalformed;
// where at least the first eight bytes were there, key, version and correlation id are set all the same.
func ParseHeader(frame []byte) (Header, []byte, error) { return parseHeader(frame, "") }

// ParseHeader is the function of that name without an allocation where the client calls itself what it did in the request
// before. The caller parses one request of the client at a time.
func (c *Client) ParseHeader(frame []byte) (Header, []byte, error) {
	h, body, err := parseHeader(frame, c.clientID)
	c.clientID = h.ClientID
	return h, body, err
}

// parseHeader takes for the client id the known one if it is the same.
func parseHeader(frame []byte, known string) (Header, []byte, error) {
	if len(frame) < minHeader {
		return Header{}, nil, fmt.Errorf("%w: header of %d bytes", ErrMalformed, len(frame))
	}
	h := Header{
		Key:           int16(binary.BigEndian.Uint16(frame)),
		Version:       int16(binary.BigEndian.Uint16(frame[2:])),
		CorrelationID: int32(binary.BigEndian.Uint32(frame[4:])),
	}
	rest := frame[minHeader:]
	if h.Key == 7 && h.Version == 0 {
		return h, rest, nil
	}
	rest, err := h.readClientID(rest, known)
	if err != nil {
		return h, nil, err
	}
	if !IsFlexible(h.Key, h.Version) {
		return h, rest, nil
	}
	s := scanner{src: rest, budget: maxElements(len(rest))}
	if !s.skipTags() {
		return h, nil, fmt.Errorf("%w: tagged fields of the header", ErrMalformed)
	}
	return h, s.src, nil
}

// readClientID reads the nullable string that is not compact even in flexible headers.
func (h *Header) readClientID(rest []byte, known string) ([]byte, error) {
	if len(rest) < 2 {
		return nil, fmt.Errorf("%w: header ends before the client id", ErrMalformed)
	}
	length := int(int16(binary.BigEndian.Uint16(rest)))
	rest = rest[2:]
	if length < 0 {
		return rest, nil
	}
	if length > len(rest) {
		return nil, fmt.Errorf("%w: client id of %d bytes in %d", ErrMalformed, length, len(rest))
	}
	if h.ClientID = known; string(rest[:length]) != known {
		h.ClientID = string(rest[:length])
	}
	return rest[length:], nil
}

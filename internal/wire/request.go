package wire

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Decode reads a request's body, copying strings: what it returns may be kept. Its byte fields
// point into body. The error wraps ErrMalformed or ErrUnsupported.
func Decode(h Header, body []byte) (kmsg.Request, error) {
	return decode(h, body, kmsg.Request.ReadFrom)
}

// DecodeInPlace is Decode whose strings point into body too: nothing of the request may outlive it.
func DecodeInPlace(h Header, body []byte) (kmsg.Request, error) {
	return decode(h, body, func(request kmsg.Request, body []byte) error {
		return request.(kmsg.UnsafeReadFrom).UnsafeReadFrom(body)
	})
}

func decode(h Header, body []byte, read func(kmsg.Request, []byte) error) (kmsg.Request, error) {
	if err := CheckBody(h.Key, h.Version, body); err != nil {
		return nil, err
	}
	request := kmsg.RequestForKey(h.Key)
	if request == nil {
		return nil, fmt.Errorf("%w: key %d", ErrUnsupported, h.Key)
	}
	request.SetVersion(h.Version)
	if err := read(request, body); err != nil {
		return nil, fmt.Errorf("%w: %s version %d: %w", ErrMalformed, kmsg.NameForKey(h.Key), h.Version, err)
	}
	return request, nil
}

package api

import (
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestCopiedRequestsHaveNoBytes: kmsg copies strings, but its slices of bytes point into the frame, whose memory is used again.
func TestCopiedRequestsHaveNoBytes(t *testing.T) {
	for _, r := range rows() {
		if r.copied && hasBytes(reflect.TypeOf(kmsg.RequestForKey(r.key)).Elem()) {
			t.Errorf("%s has bytes, and its row says that nothing of it points into the frame", kmsg.NameForKey(r.key))
		}
	}
	if !hasBytes(reflect.TypeOf(kmsg.JoinGroupRequest{})) {
		t.Error("the bytes of JoinGroup were not seen")
	}
}

// hasBytes passes over tags that nobody knows: no handler reads them.
func hasBytes(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice:
		return t.Elem().Kind() == reflect.Uint8 || hasBytes(t.Elem())
	case reflect.Pointer:
		return hasBytes(t.Elem())
	case reflect.Struct:
		for field := range t.Fields() {
			if field.Type != reflect.TypeFor[kmsg.Tags]() && hasBytes(field.Type) {
				return true
			}
		}
	}
	return false
}

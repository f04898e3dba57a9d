package wire

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestFramesOfTheJavaClient: what the Java client sends is read to its last byte, and written back the same.
func TestFramesOfTheJavaClient(t *testing.T) {
	text, err := os.ReadFile("testdata/java-4.4.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var want Header
		var digits string
		if _, err := fmt.Sscan(line, &want.Key, &want.Version, &digits); err != nil {
			t.Fatal(err)
		}
		frame, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(fmt.Sprintf("%d v%d", want.Key, want.Version), func(t *testing.T) {
			h, body, err := ParseHeader(frame)
			if err != nil || h.Key != want.Key || h.Version != want.Version || h.ClientID == "" {
				t.Fatalf("header %+v, %v", h, err)
			}
			request, err := Decode(h, body)
			if err != nil {
				t.Fatal(err)
			}
			if again := request.AppendTo(nil); !bytes.Equal(again, body) {
				t.Fatalf("read %x\nwrote %x", body, again)
			}
			if left, err := scan(h, body); err != nil || left != 0 {
				t.Fatalf("%d bytes left, %v", left, err)
			}
		})
	}
}

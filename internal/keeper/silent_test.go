package keeper

import (
	"net"
	"strings"
	"testing"

	"barnabas/test/loopback"
)

func TestWhySilent(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	gone := loopback.Free(t)
	got := WhySilent(t.Context(), []string{silent.Addr().String(), gone, "keeper.invalid:2181"}, nil)
	for _, want := range []string{"it takes connections, and does not serve yet), ", gone + " (it refuses connections), ",
		"keeper.invalid:2181 (the name keeper.invalid is not known yet)"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
}

package broker

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestLogFilesAreBoundedByTheProcess(t *testing.T) {
	for _, c := range []struct {
		all                 uint64
		wanted, connections int
		want                int
		said                bool
	}{
		{all: 1 << 20, wanted: 4096, connections: 20000, want: 4096},
		{all: 24352, wanted: 4096, connections: 20000, want: 4096},
		{all: 24351, wanted: 4096, connections: 20000, want: 4096, said: true},
		{all: 1024, wanted: 4096, connections: 20000, want: 384, said: true},
		{all: 1024, wanted: 100, connections: 20000, want: 100, said: true},
		{all: 100, wanted: 4096, connections: 0, want: 64, said: true},
		{all: 1024, wanted: 500, connections: 0, want: 500},
	} {
		var said bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&said, nil))
		if got := boundLogFiles(c.all, c.wanted, c.connections, logger); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
		if told := strings.Contains(said.String(), "LimitNOFILE"); told != c.said {
			t.Errorf("%+v: %q", c, said.String())
		}
	}
}

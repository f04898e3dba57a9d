package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestOwnListeners(t *testing.T) {
	for listeners, want := range map[string][]string{
		"":                  nil,
		"PLAINTEXT://:9092": {"localhost:9092"},
		"PLAINTEXT://0.0.0.0:9092,OUTSIDE://:9094,CONTROLLER://:9093": {"localhost:9092", "localhost:9094"},
		"A://10.0.0.1:9092, B://[::1]:1":                              {"10.0.0.1:9092", "[::1]:1"},
		"PLAINTEXT://:0,nonsense":                                     nil,
	} {
		env := map[string]string{"KAFKA_LISTENERS": listeners, "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER"}
		if got := ownListeners(func(name string) string { return env[name] }); !slices.Equal(got, want) {
			t.Errorf("%q: %q", listeners, got)
		}
	}
}

func TestReadinessIsJudged(t *testing.T) {
	var d diagnosis
	d.judgeReadiness(200, strings.NewReader("ok\n"))
	if !d.healthy() {
		t.Errorf("of a broker that is well: %+v", d.Findings)
	}
	d.judgeReadiness(200, strings.NewReader("ok\nwarning: listener OUTSIDE is not advertised: 403\nwarning: other\n"))
	if len(d.Findings) != 2 || d.healthy() || d.Findings[0].What != "listener OUTSIDE is not advertised: 403" {
		t.Errorf("of one that warns: %+v", d.Findings)
	}
	d = diagnosis{}
	d.judgeReadiness(503, strings.NewReader("copying: 3 partitions\nmore\n"))
	if len(d.Findings) != 1 || !strings.Contains(d.Findings[0].What, "copying: 3 partitions") {
		t.Errorf("of one that is not ready: %+v", d.Findings)
	}
}

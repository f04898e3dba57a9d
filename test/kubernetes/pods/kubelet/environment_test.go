package kubelet

import (
	"slices"
	"testing"
)

func TestExpand(t *testing.T) {
	known := lookup([]string{"POD_NAME=kafka-0", "EMPTY="})
	for text, want := range map[string]string{
		"$(POD_NAME).kafka":  "kafka-0.kafka",
		"$$(POD_NAME)":       "$(POD_NAME)",
		"$(NOBODY)-$(EMPTY)": "$(NOBODY)-",
		"$POD_NAME $(":       "$POD_NAME $(",
	} {
		if got := expand(text, known); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestLastWordCounts(t *testing.T) {
	if got := last([]string{"A=1", "B=2", "A=3"}); !slices.Equal(got, []string{"A=3", "B=2"}) {
		t.Error(got)
	}
}

package cli

import (
	"strings"
	"testing"
)

func TestGroupsOfAllTypesAreChosen(t *testing.T) {
	groups := []listedGroup{
		{"classic", "Classic", "consumer", "Stable"}, {"connect", "Classic", "connect", "Stable"}, {"offsets", "Classic", "", "Empty"},
		{"new", "Consumer", "consumer", "Stable"}, {"share", "Share", "share", "Stable"}, {"streams", "Streams", "streams", "Stable"},
	}
	for args, want := range map[string]string{
		"":                                       "classic connect offsets new share streams",
		"--consumer":                             "classic offsets new",
		"--share":                                "share",
		"--streams":                              "streams",
		"--group-type classic":                   "classic connect offsets",
		"--group-type SHARE":                     "share",
		"--protocol connect":                     "connect",
		"--protocol consumer":                    "classic new",
		"--group-type classic --protocol ":       "offsets",
		"--group-type share --protocol consumer": "",
	} {
		o := newAllGroupsOptions()
		words := append([]string{"--list", "--bootstrap-server", "a:1"}, strings.Split(args, " ")...)
		if err := o.p.Parse(words); err != nil {
			t.Fatal(err)
		}
		if err := o.check(); err != nil {
			t.Fatalf("%s: %v", args, err)
		}
		var shown []string
		for _, g := range groups {
			if o.shows(g) {
				shown = append(shown, g.id)
			}
		}
		if got := strings.Join(shown, " "); got != want {
			t.Errorf("%s: %s, want %s", args, got, want)
		}
	}
}

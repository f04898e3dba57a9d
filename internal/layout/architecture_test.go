package layout

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// roomRow is a row of the table of rooms: level, name, what the room does.
var roomRow = regexp.MustCompile("(?m)^\\| (\\d) \\| `([a-z/]+)` \\| (.*) \\|$")

// TestArchitectureNamesTheRooms holds the map to the table of levels, and both to the folders. A room within another is named in that one's
// row, unless it has its own.
func TestArchitectureNamesTheRooms(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, row := range roomRow.FindAllStringSubmatch(string(page), -1) {
		level, room, what := row[1], row[2], row[3]
		told[room] = what
		if want, known := levels[room]; !known || strconv.Itoa(want) != level {
			t.Errorf("docs/ARCHITECTURE.md has room %q at level %s, the table of levels at %d (known: %v)", room, level, want, known)
		}
	}
	for room := range levels {
		if _, err := os.Stat(filepath.Join("..", filepath.FromSlash(room))); err != nil {
			t.Errorf("room %q is in the table of levels, and has no folder: %v", room, err)
		}
		within := told[path.Dir(room)]
		if told[room] == "" && room != "layout" && !strings.Contains(within, "`"+path.Base(room)+"`") {
			t.Errorf("docs/ARCHITECTURE.md does not say what room %q is", room)
		}
	}
}

// Package footprint keeps a process small once it rests: what its start, or a burst later on, has needed goes back to the system,
// and one core does for the rest.
package footprint

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// segment is a part of the program's file that is mapped and was never written: the system has it in its page cache,
// and maps a page again when it is touched.
type segment struct{ start, end uintptr }

// untouched finds the program's own segments in what /proc/self/maps says: those of its file without the right to write.
func untouched(maps io.Reader, program string) ([]segment, error) {
	var found []segment
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		// 00400000-0156a000 r-xp 00000000 fe:00 1234   /opt/kafka/bin/barnabas
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || strings.Join(fields[5:], " ") != program || strings.Contains(fields[1], "w") {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		start, err := strconv.ParseUint(from, 16, 64)
		if err != nil {
			return nil, fmt.Errorf("a mapping %q: %w", fields[0], err)
		}
		end, err := strconv.ParseUint(to, 16, 64)
		if err != nil {
			return nil, fmt.Errorf("a mapping %q: %w", fields[0], err)
		}
		found = append(found, segment{uintptr(start), uintptr(end)})
	}
	return found, lines.Err()
}

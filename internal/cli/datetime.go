package cli

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// datetime is how --to-datetime is written. Numbers may have fewer digits than they should, or more, and what follows the point
// are milliseconds and no fraction: all this as Kafka's tool reads them, so that a script gets to the same offsets.
var datetime = regexp.MustCompile(`^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.(\d+)(Z|([+-])(\d\d)(?::?(\d\d))?)$`)

func parseDatetime(text string) (time.Time, error) {
	_, clock, ok := strings.Cut(text, "T")
	if !ok || clock == "" {
		return time.Time{}, &javaError{"java.text.ParseException", "Error parsing timestamp. It does not contain a 'T' according " +
			"to ISO8601 format"}
	}
	if !strings.ContainsAny(clock, "+-Z") {
		text += "Z"
	}
	unparseable := &javaError{"java.text.ParseException", fmt.Sprintf("Unparseable date: %q", text)}
	words := datetime.FindStringSubmatch(text)
	if words == nil {
		return time.Time{}, unparseable
	}
	n := make([]int, len(words))
	for i, word := range words {
		n[i], _ = strconv.Atoi(word) // of digits alone, or left 0; one that is too large is no date below
	}
	const zoneHours, zoneMinutes, ms = 10, 11, 7
	if n[zoneHours] > 23 || n[zoneMinutes] > 59 || n[ms] > 999 {
		return time.Time{}, unparseable
	}
	at := time.Date(n[1], time.Month(n[2]), n[3], n[4], n[5], n[6], n[ms]*int(time.Millisecond), time.UTC)
	read := []int{at.Year(), int(at.Month()), at.Day(), at.Hour(), at.Minute(), at.Second()}
	if !slices.Equal(read, n[1:ms]) { // the thirteenth month would be the next year's first
		return time.Time{}, unparseable
	}
	zone := time.Duration(n[zoneHours])*time.Hour + time.Duration(n[zoneMinutes])*time.Minute
	if words[9] == "-" {
		zone = -zone
	}
	return at.Add(-zone), nil
}

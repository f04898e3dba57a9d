package cli

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

var isoDuration = regexp.MustCompile(
	`^([-+]?)P(?:([-+]?\d+)D)?(T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+(?:[.,]\d{1,9})?)S)?)?$`)

var errDuration = sayf("Text cannot be parsed to a Duration")

// parseDuration reads an ISO 8601 duration of days, hours, minutes and seconds: P1DT2H3M4.5S.
func parseDuration(text string) (time.Duration, error) {
	match := isoDuration.FindStringSubmatch(strings.ToUpper(text))
	if match == nil || match[3] == "T" || match[2] == "" && match[3] == "" {
		return 0, errDuration
	}
	var total time.Duration
	for i, unit := range map[int]time.Duration{2: 24 * time.Hour, 4: time.Hour, 5: time.Minute} {
		if match[i] != "" {
			n, err := strconv.ParseInt(match[i], 10, 32)
			if err != nil {
				return 0, errDuration
			}
			total += time.Duration(n) * unit
		}
	}
	if match[6] != "" {
		seconds, err := time.ParseDuration(strings.Replace(match[6], ",", ".", 1) + "s")
		if err != nil {
			return 0, errDuration
		}
		total += seconds
	}
	if match[1] == "-" {
		total = -total
	}
	return total, nil
}

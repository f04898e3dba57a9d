package config

import (
	"fmt"
	"slices"
	"strings"
)

var (
	listenerPrefix = lazyRegexp(`^listener\.name\.[^.]+\.`)
	vendorPrefix   = lazyRegexp(`^(confluent|cruise\.control|metrics\.reporter)\.`)
)

// unused says what becomes of a setting that has no row: nothing, and why; or it is nobody's setting, and
// which one may be meant.
func (l *loading) unused(g given) {
	base := listenerPrefix().ReplaceAllString(g.name, "")
	why, real := unusedSettings()[base]
	switch {
	case g.name == "authorizer.class.name" && g.value != "":
		// Access control that is silently absent would be worse than a broker that does not start.
		l.problems = append(l.problems, Problem{g.where, g.name,
			g.name + ": access control is not served yet, and this broker would let everyone in"})
	case real && why == "" && base == g.name:
	case real && why != "":
		l.notices = append(l.notices, Notice{g.where, g.name, why, true})
	case base != g.name && (real || server[base] != nil):
		l.notices = append(l.notices, Notice{g.where, g.name, "is for one listener; the broker's own setting holds for all", true})
	case vendorPrefix().MatchString(g.name):
		l.notices = append(l.notices, Notice{g.where, g.name, "is of another vendor's Kafka", true})
	default:
		l.notices = append(l.notices, Notice{g.where, g.name, unknownSetting(g.name), false})
	}
}

func unknownSetting(name string) string {
	if near := nearest(name); near != "" {
		return fmt.Sprintf("is not a setting; did you mean %s?", near)
	}
	return "is not a setting of Kafka or of Barnabas"
}

// nearest is the real setting whose name is closest to a misspelt one, or "" when none is close: a letter in five
// may be wrong.
func nearest(name string) string {
	best, distance := "", max(2, len(name)/5)+1
	consider := func(candidate string) {
		if d := editDistance(name, candidate, distance); d < distance {
			best, distance = candidate, d
		}
	}
	for _, candidate := range sortedKeys(server) {
		consider(candidate)
	}
	for _, candidate := range sortedKeys(unusedSettings()) {
		consider(candidate)
	}
	for _, candidate := range sortedKeys(topics) {
		if candidate == name { // a topic's setting in a broker's configuration
			if family := topics[name].Family; len(family) > 0 {
				return family[0].Name
			}
		}
	}
	return best
}

// editDistance is how many letters have to be put in, taken out, changed or swapped with the next to turn a into
// b; or limit where it is that or more.
func editDistance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(last[j]+1, row[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		if slices.Min(row) >= limit {
			return limit
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit)
}

// String is the notice as a line of the log.
func (n Notice) String() string {
	var b strings.Builder
	b.WriteString(n.Where)
	if n.Name != n.Where {
		b.WriteString(": ")
		b.WriteString(n.Name)
	}
	b.WriteString(" ")
	b.WriteString(n.Message)
	return b.String()
}

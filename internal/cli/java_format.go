package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// fixed is Java's %.Nf: what is not a number is spelled out.
func fixed(v float64, digits int) string {
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "Infinity"
	case math.IsInf(v, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// dateFormat is a pattern of Java's SimpleDateFormat, taken apart.
type dateFormat []datePart

// datePart is a run of one pattern letter, or literal text when the letter is 0.
type datePart struct {
	letter byte
	count  int
	text   string
}

// parseDateFormat reads a pattern: yyyy-MM-dd HH:mm:ss:SSS. Letters are fields, text between single
// quotes and all that is no letter stands for itself.
func parseDateFormat(pattern string) (dateFormat, error) {
	var parts dateFormat
	literal := func(text string) {
		if n := len(parts); n > 0 && parts[n-1].letter == 0 {
			parts[n-1].text += text
			return
		}
		parts = append(parts, datePart{text: text})
	}
	for i := 0; i < len(pattern); {
		c := pattern[i]
		switch {
		case c == '\'':
			quoted, n, err := cutQuoted(pattern[i:])
			if err != nil {
				return nil, err
			}
			literal(quoted)
			i += n
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			n := 1
			for i+n < len(pattern) && pattern[i+n] == c {
				n++
			}
			if !strings.ContainsRune("yMdDHhkKmsSaEzZXu", rune(c)) {
				return nil, sayf("Illegal pattern character '%c'", c)
			}
			parts = append(parts, datePart{letter: c, count: n})
			i += n
		default:
			literal(string(c))
			i++
		}
	}
	return parts, nil
}

// cutQuoted reads the text between quotes at the beginning of a pattern, and how long it is with them.
// Two quotes in a row stand for one, within quotes and without.
func cutQuoted(pattern string) (text string, length int, err error) {
	if strings.HasPrefix(pattern, "''") {
		return "'", 2, nil
	}
	var b strings.Builder
	for i := 1; i < len(pattern); i++ {
		switch {
		case pattern[i] != '\'':
			b.WriteByte(pattern[i])
		case strings.HasPrefix(pattern[i:], "''"):
			b.WriteByte('\'')
			i++
		default:
			return b.String(), i + 1, nil
		}
	}
	return "", 0, sayf("Unterminated quote")
}

// format shows a time in milliseconds in the local time zone.
func (f dateFormat) format(ms int64) string {
	t := time.UnixMilli(ms)
	var b strings.Builder
	for _, part := range f {
		b.WriteString(part.format(t))
	}
	return b.String()
}

func (p datePart) format(t time.Time) string {
	switch p.letter {
	case 0:
		return p.text
	case 'y':
		if p.count == 2 {
			return t.Format("06")
		}
		return p.pad(t.Year())
	case 'M':
		switch {
		case p.count > 3:
			return t.Format("January")
		case p.count == 3:
			return t.Format("Jan")
		}
		return p.pad(int(t.Month()))
	case 'E':
		if p.count > 3 {
			return t.Format("Monday")
		}
		return t.Format("Mon")
	case 'a':
		return t.Format("PM")
	case 'z':
		return t.Format("MST")
	case 'Z':
		return t.Format("-0700")
	case 'X':
		return t.Format([]string{"Z07", "Z0700", "Z07:00"}[min(p.count, 3)-1])
	}
	return p.pad(p.number(t))
}

// number is the value of a field that is written as digits.
func (p datePart) number(t time.Time) int {
	switch p.letter {
	case 'd':
		return t.Day()
	case 'D':
		return t.YearDay()
	case 'H':
		return t.Hour()
	case 'k': // 1 to 24
		return (t.Hour()+23)%24 + 1
	case 'K': // 0 to 11
		return t.Hour() % 12
	case 'h': // 1 to 12
		return (t.Hour()+11)%12 + 1
	case 'm':
		return t.Minute()
	case 's':
		return t.Second()
	case 'S':
		return t.Nanosecond() / int(time.Millisecond)
	}
	return (int(t.Weekday())+6)%7 + 1 // u: Monday is 1
}

func (p datePart) pad(n int) string { return fmt.Sprintf("%0*d", p.count, n) }

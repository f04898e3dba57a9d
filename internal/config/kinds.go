package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// invalid words a refused value as Kafka's ConfigException does.
func invalid(name, value, why string) error {
	return refusal("Invalid value " + value + " for configuration " + name + ": " + why)
}

func boolSetting(row Row) Setting[bool] { return define[bool](row, Boolean, false, parseBool) }
func intSetting(row Row) Setting[int]   { return define[int](row, Int, false, parseInt) }
func longSetting(row Row) Setting[int64] {
	return define[int64](row, Long, false, parseLong)
}
func doubleSetting(row Row) Setting[float64] {
	return define[float64](row, Double, false, parseDouble)
}
func stringSetting(row Row) Setting[string] {
	return define[string](row, String, false, parseString)
}
func passwordSetting(row Row) Setting[string] {
	return define[string](row, Password, false, parseString)
}
func listSetting(row Row) Setting[[]string] {
	return define[[]string](row, List, false, parseList)
}

// listInString is a list to its reader, and a string to Kafka.
func listInString(row Row) Setting[[]string] {
	return define[[]string](row, String, false, parseList)
}

// shortSetting is an int to its reader, and 16 bits to Kafka.
func shortSetting(row Row) Setting[int] { return define[int](row, Short, false, parseInt) }

// msSetting and minutesSetting are numbers in the file (kind says which of Kafka's) and a Duration to their reader.
func msSetting(kind Kind, row Row) Setting[time.Duration] {
	return define[time.Duration](row, kind, false, parseDuration(1))
}

func minutesSetting(kind Kind, row Row) Setting[time.Duration] {
	return define[time.Duration](row, kind, false, parseDuration(60_000))
}

func topicBool(row Row) Setting[bool]  { return define[bool](row, Boolean, true, parseBool) }
func topicInt(row Row) Setting[int]    { return define[int](row, Int, true, parseInt) }
func topicLong(row Row) Setting[int64] { return define[int64](row, Long, true, parseLong) }
func topicDouble(row Row) Setting[float64] {
	return define[float64](row, Double, true, parseDouble)
}
func topicString(row Row) Setting[string] { return define[string](row, String, true, parseString) }
func topicList(row Row) Setting[[]string] { return define[[]string](row, List, true, parseList) }

func parseBool(d *Def, value string) (any, error) {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return nil, invalid(d.Name, value, "Expected value to be either true or false")
}

func parseNumber(d *Def, value string) (int64, error) {
	bits := 64
	switch d.Kind {
	case Int:
		bits = 32
	case Short:
		bits = 16
	}
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, bits)
	if err != nil {
		return 0, invalid(d.Name, value, "Not a number of type "+strings.ToUpper(d.Kind.String()))
	}
	return n, d.checkValue(value, n)
}

// Auto is what the handle of a setting returns that was left to Barnabas (`auto`): see MinISR and ReplicationFactor.
const Auto = -1

func parseInt(d *Def, value string) (any, error) {
	if d.auto && !d.Topic && strings.TrimSpace(value) == "auto" {
		return Auto, nil
	}
	n, err := parseNumber(d, value)
	if err != nil {
		return nil, err
	}
	return int(n), nil
}

func parseLong(d *Def, value string) (any, error) {
	if d.auto && !d.Topic && strings.TrimSpace(value) == "auto" {
		return int64(Auto), nil
	}
	n, err := parseNumber(d, value)
	if err != nil {
		return nil, err
	}
	return n, nil
}

func parseDuration(unitMs int64) func(*Def, string) (any, error) {
	return func(d *Def, value string) (any, error) {
		n, err := parseNumber(d, value)
		if err != nil {
			return nil, err
		}
		if n > math.MaxInt64/unitMs {
			return milliseconds(math.MaxInt64), nil
		}
		return milliseconds(n * unitMs), nil
	}
}

func parseDouble(d *Def, value string) (any, error) {
	f, err := javaDouble(strings.TrimSpace(value))
	if err != nil {
		return nil, invalid(d.Name, value, "Not a number of type DOUBLE")
	}
	return f, d.checkValue(value, f)
}

var errNotDouble = errors.New("not a double")

// javaDouble reads what Java's Double.parseDouble reads: Infinity only in full, and a suffix f or d.
func javaDouble(s string) (float64, error) {
	word := strings.TrimLeft(s, "+-")
	if strings.ContainsAny(word, "_") || strings.HasPrefix(strings.ToLower(word), "inf") && word != "Infinity" ||
		strings.EqualFold(word, "nan") && word != "NaN" {
		return 0, errNotDouble
	}
	if n := len(s); n > 1 && strings.ContainsAny(s[n-1:], "fFdD") && !strings.ContainsAny(s, "xX") {
		s = s[:n-1]
	}
	return strconv.ParseFloat(s, 64)
}

func parseString(d *Def, value string) (any, error) {
	value = strings.TrimSpace(value)
	return value, d.checkValue(value, value)
}

func parseList(d *Def, value string) (any, error) {
	list := splitList(value)
	return list, d.checkValue(value, list)
}

// splitList cuts at commas, dropping white space around each element. Nothing but white space is an empty list.
func splitList(value string) []string {
	if strings.TrimSpace(value) == "" {
		return nil
	}
	list := strings.Split(value, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

func (d *Def) checkValue(raw string, value any) error {
	if d.check.ensure == nil {
		return nil
	}
	return d.check.ensure(d.Name, raw, value)
}

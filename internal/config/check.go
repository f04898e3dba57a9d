package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// check refuses a value of the right kind that a setting can't have. The words are Kafka's, because
// clients and tools show them and tests compare them.
type check struct {
	// valid describes what is allowed, for the reference page.
	valid string
	// ensure gets the value as it was written and as it was read.
	ensure func(name, raw string, value any) error
}

type number interface{ ~int64 | ~float64 }

func number64(value any) float64 {
	switch n := value.(type) {
	case int64:
		return float64(n)
	case float64:
		return n
	}
	panic(fmt.Sprintf("config: a range over a %T", value))
}

// atLeast allows numbers of min and above.
func atLeast[N number](min N) check {
	return check{fmt.Sprintf("[%v,...]", min), func(name, raw string, value any) error {
		if number64(value) < float64(min) {
			return invalid(name, javaNumber(value), fmt.Sprintf("Value must be at least %v", min))
		}
		return nil
	}}
}

// between allows numbers from min to max, both included.
func between[N number](min, max N) check {
	return check{fmt.Sprintf("[%v,...,%v]", min, max), func(name, raw string, value any) error {
		if err := atLeast(min).ensure(name, raw, value); err != nil {
			return err
		}
		if number64(value) > float64(max) {
			return invalid(name, javaNumber(value), fmt.Sprintf("Value must be no more than %v", max))
		}
		return nil
	}}
}

// betweenOr allows numbers from min to max, and one more.
func betweenOr(min, max, other int64) check {
	return check{fmt.Sprintf("[%d,...,%d] or %d", min, max, other),
		func(name, raw string, value any) error {
			n := value.(int64)
			if n == other || n >= min && n <= max {
				return nil
			}
			return invalid(name, javaNumber(value),
				fmt.Sprintf("Value must be between %d and %d or equal to %d", min, max, other))
		}}
}

// oneOf allows the given strings.
func oneOf(allowed ...string) check {
	return check{"[" + strings.Join(allowed, ", ") + "]", func(name, _ string, value any) error {
		return ensureOneOf(name, value.(string), allowed)
	}}
}

func ensureOneOf(name, value string, allowed []string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return invalid(name, value, "String must be one of: "+strings.Join(allowed, ", "))
}

// someOf allows a list of the given strings, the empty one too (since Kafka 4.1 an empty cleanup.policy
// keeps everything, KIP-1161).
func someOf(allowed ...string) check {
	return check{"[" + strings.Join(allowed, ", ") + "]", func(name, _ string, value any) error {
		for _, element := range value.([]string) {
			if element == "" {
				return refusal("Configuration '" + name + "' values must not be empty.")
			}
			if err := ensureOneOf(name, element, allowed); err != nil {
				return err
			}
		}
		return nil
	}}
}

const throttledReplicasForm = "[partitionId]:[brokerId],[partitionId]:[brokerId],..."

// throttledReplicas allows `*`, nothing, and lists of partition:broker.
func throttledReplicas() check {
	return check{throttledReplicasForm, func(name, _ string, value any) error {
		list := value.([]string)
		if len(list) == 1 && list[0] == "*" {
			return nil
		}
		for _, element := range list {
			if !isThrottledReplica(element) {
				return invalid(name, "["+strings.Join(list, ", ")+"]", name+
					" must be the literal '*' or a list of replicas in the following format: "+
					throttledReplicasForm)
			}
		}
		return nil
	}}
}

// isThrottledReplica reports whether s is two numbers with a colon between them.
func isThrottledReplica(s string) bool {
	partition, broker, ok := strings.Cut(s, ":")
	return ok && isDigits(partition) && isDigits(broker)
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// javaNumber prints a number as Kafka does in its messages.
func javaNumber(value any) string {
	f, isDouble := value.(float64)
	if !isDouble {
		return fmt.Sprint(value)
	}
	abs := math.Abs(f)
	switch {
	case math.IsInf(f, 0) || math.IsNaN(f):
		return strings.TrimPrefix(strings.Replace(strconv.FormatFloat(f, 'g', -1, 64), "Inf", "Infinity", 1), "+")
	case abs == 0 || abs >= 1e-3 && abs < 1e7:
		return withPoint(strconv.FormatFloat(f, 'f', -1, 64))
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, 64), "E")
	n, _ := strconv.Atoi(exponent)
	return fmt.Sprintf("%sE%d", withPoint(digits), n)
}

// withPoint writes what follows the point, as Java does, also where that is nothing.
func withPoint(number string) string {
	if strings.Contains(number, ".") {
		return number
	}
	return number + ".0"
}

// addressCounts allows a list of address:number.
func addressCounts() check {
	return check{"address:number,...", func(name, raw string, value any) error {
		for _, element := range value.([]string) {
			i := strings.LastIndexByte(element, ':')
			if i <= 0 {
				return invalid(name, raw, "want address:number, separated by commas")
			}
			if n, err := strconv.Atoi(strings.TrimSpace(element[i+1:])); err != nil || n < 0 {
				return invalid(name, raw, "the bound of "+element[:i]+" is not a number")
			}
		}
		return nil
	}}
}

// address allows host:port, or nothing.
func address() check {
	return check{"host:port", func(name, raw string, value any) error {
		if s := value.(string); s != "" {
			if _, _, err := splitHostPort(s); err != nil {
				return invalid(name, raw, err.Error())
			}
		}
		return nil
	}}
}

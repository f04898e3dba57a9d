package cli

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// deserializer turns the bytes of a key, value or header into text, as the Java deserializer of
// the same name and the toString of its result do.
type deserializer func(data []byte) (string, error)

const serializationPackage = "org.apache.kafka.common.serialization."

var deserializers = map[string]deserializer{
	"StringDeserializer":     func(data []byte) (string, error) { return string(data), nil },
	"ByteArrayDeserializer":  func(data []byte) (string, error) { return string(data), nil },
	"ByteBufferDeserializer": func(data []byte) (string, error) { return string(data), nil },
	"BytesDeserializer":      func(data []byte) (string, error) { return escapeBytes(data), nil },
	"VoidDeserializer":       deserializeVoid,
	"BooleanDeserializer":    deserializeBoolean,
	"ShortDeserializer": sized("ShortDeserializer", 2, func(data []byte) string {
		return strconv.Itoa(int(int16(binary.BigEndian.Uint16(data))))
	}),
	"IntegerDeserializer": sized("IntegerDeserializer", 4, func(data []byte) string {
		return strconv.Itoa(int(int32(binary.BigEndian.Uint32(data))))
	}),
	"LongDeserializer": sized("LongDeserializer", 8, func(data []byte) string {
		return strconv.FormatInt(int64(binary.BigEndian.Uint64(data)), 10)
	}),
	"FloatDeserializer": sized("FloatDeserializer", 4, func(data []byte) string {
		return javaFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(data))), 32)
	}),
	"DoubleDeserializer": sized("DoubleDeserializer", 8, func(data []byte) string {
		return javaFloat(math.Float64frombits(binary.BigEndian.Uint64(data)), 64)
	}),
	"UUIDDeserializer": func(data []byte) (string, error) { return string(data), nil },
}

// findDeserializer finds one by its class name. For an unknown one it complains and returns nil,
// which shows the bytes as they are; so does Kafka's console consumer.
func findDeserializer(env *Env, class string) deserializer {
	if class == "" {
		return nil
	}
	if found, ok := deserializers[strings.TrimPrefix(class, serializationPackage)]; ok {
		return found
	}
	env.warnf("ERROR Unable to instantiate a deserializer from %s\n", class)
	return nil
}

func sized(name string, size int, text func([]byte) string) deserializer {
	return func(data []byte) (string, error) {
		if len(data) != size {
			return "", sayf("Size of data received by %s is not %d", name, size)
		}
		return text(data), nil
	}
}

func deserializeVoid(data []byte) (string, error) {
	if len(data) > 0 {
		return "", sayf("Data should be null for a VoidDeserializer.")
	}
	return "null", nil
}

func deserializeBoolean(data []byte) (string, error) {
	switch {
	case len(data) != 1:
		return "", sayf("Size of data received by BooleanDeserializer is not 1")
	case data[0] == 1:
		return "true", nil
	case data[0] == 0:
		return "false", nil
	}
	return "", sayf("Unexpected byte received by BooleanDeserializer: %d", data[0])
}

// escapeBytes shows printable ASCII as it is and the rest as \xNN.
func escapeBytes(data []byte) string {
	var b strings.Builder
	for _, c := range data {
		if c >= ' ' && c <= '~' && c != '\\' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02X`, c)
		}
	}
	return b.String()
}

// javaFloat writes a number as Java's toString does: 1.5, 100.0, 1.0E10, NaN, -Infinity.
func javaFloat(f float64, bits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 0):
		return strings.TrimPrefix(strings.Replace(strconv.FormatFloat(f, 'g', -1, bits), "Inf", "Infinity", 1), "+")
	}
	if a := math.Abs(f); a != 0 && (a < 1e-3 || a >= 1e7) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'E', -1, bits), "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exponent)
		return mantissa + "E" + strconv.Itoa(n)
	}
	text := strconv.FormatFloat(f, 'f', -1, bits)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

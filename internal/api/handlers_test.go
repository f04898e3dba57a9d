package api

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fill gives the fields of a request random values of which some mean something: the topic orders, partition 0,
// broker 1.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if r.IntN(4) == 0 {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(r, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Version" && name != "UnknownTags" {
				fill(r, v.Field(i))
			}
		}
	case reflect.Slice:
		n := r.IntN(4)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(r, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.String:
		v.SetString([]string{"orders", "orders", "", "1", "no such/name", "retention.ms", "__consumer_offsets"}[r.IntN(7)])
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 0)
	case reflect.Float64:
		v.SetFloat(r.Float64())
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		v.SetUint(r.Uint64N(1 << 8))
	default:
		v.SetInt([]int64{0, 0, 0, 1, 2, 4, -1, -2, 50, 100}[r.IntN(10)])
	}
}

// waits are the fields that would have a test wait.
func shorten(request kmsg.Request) {
	switch r := request.(type) {
	case *kmsg.FetchRequest:
		r.MaxWaitMillis = min(r.MaxWaitMillis, 1)
	case *kmsg.JoinGroupRequest:
		r.RebalanceTimeoutMillis, r.SessionTimeoutMillis = 10, 10
	}
}

// TestEveryVersionOfEveryKey: each gets an answer, or a closed connection, whatever it asks; and the
// answer is what kmsg would have written.
func TestEveryVersionOfEveryKey(t *testing.T) {
	b := newBroker(t, nil)
	b.createTopic(t, "orders", 2, nil)
	r := rand.New(rand.NewPCG(5, 6))
	for key, row := range b.rows {
		if row == nil {
			continue
		}
		for version := row.min; version <= row.max; version++ {
			for range 20 {
				request := kmsg.RequestForKey(int16(key))
				fill(r, reflect.ValueOf(request).Elem())
				shorten(request)
				request.SetVersion(version)
				answered(t, b, request)
			}
		}
	}
}

func answered(t testing.TB, b *memoryBroker, request kmsg.Request) {
	t.Helper()
	x := b.begin(request)
	select {
	case reply := <-x.replies:
		if !reply.IsZero() {
			decode[kmsg.Response](t, request, flatten(t, &reply))
		}
		reply.Free()
	case <-x.aborts:
	case <-time.After(patience):
		t.Fatalf("%s v%d: no answer to %+v", kmsg.NameForKey(request.Key()), request.GetVersion(), request)
	}
}

// TestTable: what Kafka 4.4 serves of the keys served here.
func TestTable(t *testing.T) {
	served := map[int16][2]int16{
		0: {0, 13}, 1: {4, 18}, 2: {1, 11}, 3: {0, 13}, 8: {2, 10}, 9: {1, 10}, 10: {0, 6}, 11: {0, 9}, 12: {0, 4},
		13: {0, 5}, 14: {0, 5}, 15: {0, 6}, 16: {0, 5}, 18: {0, 5}, 19: {2, 7}, 20: {1, 6}, 21: {0, 2}, 22: {0, 5},
		23: {2, 4}, 29: {1, 3}, 30: {1, 3}, 31: {1, 3}, 32: {1, 4}, 33: {0, 2}, 34: {1, 2}, 35: {1, 5}, 37: {0, 3}, 42: {0, 3}, 43: {0, 2}, 44: {0, 1}, 45: {0, 1}, 46: {0, 0}, 47: {0, 0},
		55: {0, 2}, 57: {0, 2}, 60: {0, 2}, 61: {0, 0}, 64: {0, 0}, 74: {0, 1}, 75: {0, 0},
	}
	b := newBroker(t, nil)
	request := kmsg.NewPtrApiVersionsRequest()
	request.ClientSoftwareName, request.ClientSoftwareVersion = "test", "1"
	response := ask[*kmsg.ApiVersionsResponse](t, b, 4, request)
	for _, k := range response.ApiKeys {
		if want, ok := served[k.ApiKey]; !ok || want != [2]int16{k.MinVersion, k.MaxVersion} {
			t.Errorf("%s: %d-%d, Kafka 4.4 %v", kmsg.NameForKey(k.ApiKey), k.MinVersion, k.MaxVersion, want)
		}
		delete(served, k.ApiKey)
	}
	for key := range served {
		t.Errorf("%s is not served", kmsg.NameForKey(key))
	}
}

// FuzzHandlers: no frame makes a handler panic or leaves it without an answer.
func FuzzHandlers(f *testing.F) {
	b := newBroker(f, nil)
	b.createTopic(f, "orders", 2, nil)
	r := rand.New(rand.NewPCG(7, 8))
	for key, row := range b.rows {
		if row == nil {
			continue
		}
		for version := row.min; version <= row.max; version++ {
			request := kmsg.RequestForKey(int16(key))
			fill(r, reflect.ValueOf(request).Elem())
			shorten(request)
			request.SetVersion(version)
			f.Add(kmsg.NewRequestFormatter().AppendRequest(nil, request, 1)[4:])
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		x := newExchange(frame)
		close(x.done) // nothing waits for records
		go b.Handle(x)
		select {
		case reply := <-x.replies:
			reply.Free()
		case <-x.aborts:
		case <-time.After(patience):
			t.Fatalf("no answer to %x", frame)
		}
	})
}

package numbers

import (
	"encoding/binary"
	"testing"
	"time"
)

// The checker must see what it is there for.
func TestCheckerSees(t *testing.T) {
	type read struct {
		partition int32
		offset    int64
		number    int
	}
	whole := []read{{0, 0, 0}, {1, 0, 1}, {0, 1, 2}, {1, 1, 3}}
	cases := []struct {
		name string
		read []read
		want Verdict
	}{
		{"all is well", whole, Verdict{Acked: 4, Read: 4}},
		{"one is lost", whole[:3], Verdict{Acked: 4, Read: 3, Lost: 1}},
		{"one is there twice", append([]read{{0, 0, 0}, {0, 1, 0}}, whole[1:]...), Verdict{Acked: 4, Read: 5, Duplicated: 1}},
		{"two changed places", []read{{0, 0, 2}, {0, 1, 0}, {1, 0, 1}, {1, 1, 3}},
			Verdict{Acked: 4, Read: 4, Displaced: 1, Reordered: 1}},
		{"one is where another was told to be", []read{{0, 0, 0}, {1, 0, 1}, {0, 5, 2}, {1, 1, 3}},
			Verdict{Acked: 4, Read: 4, Displaced: 1}},
		{"one was never sent", append([]read{{1, 9, 77}}, whole...), Verdict{Acked: 4, Read: 5, Displaced: 1}},
		{"one came though not acknowledged", append(whole[:4:4], read{0, 2, 4}), Verdict{Acked: 4, Read: 5}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			check := newChecker(&Sent{Acked: 4, Places: []Place{{0, 0}, {1, 0}, {0, 1}, {1, 1}, {0, -1}}})
			for _, r := range c.read {
				check.see(r.partition, r.offset, binary.BigEndian.AppendUint64(nil, uint64(r.number)))
			}
			got := check.verdict()
			got.Examples = nil
			if got.Acked != c.want.Acked || got.Read != c.want.Read || got.Lost != c.want.Lost ||
				got.Duplicated != c.want.Duplicated || got.Reordered != c.want.Reordered || got.Displaced != c.want.Displaced {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
		})
	}
}

func TestStalls(t *testing.T) {
	began := time.Unix(0, 0)
	at := func(ms int) time.Time { return began.Add(time.Duration(ms) * time.Millisecond) }
	s := newStalls(2, began)
	s.acknowledged(0, at(10))
	s.acknowledged(1, at(30))
	s.acknowledged(0, at(45))
	if got, want := s.until(at(50)), (Stalls{All: 20 * time.Millisecond, Partition: 35 * time.Millisecond}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s.mark()
	s.acknowledged(0, at(55))
	if got, want := s.until(at(60)), (Stalls{All: 10 * time.Millisecond, Partition: 30 * time.Millisecond}); got != want {
		t.Errorf("after mark: got %+v, want %+v", got, want)
	}
	if got := s.until(at(100)).All; got != 45*time.Millisecond {
		t.Errorf("a stall that lasts is %s, want 45 ms", got)
	}
}

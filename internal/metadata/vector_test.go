package metadata

import (
	"testing"

	"pgregory.net/rapid"
)

// A vector is a slice whose earlier states stay.
func TestVector(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var v vector[int]
		var model []int
		type state struct {
			v     vector[int]
			model []int
		}
		var states []state
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			i := rapid.OneOf(rapid.IntRange(0, 40), rapid.IntRange(0, 2000), rapid.IntRange(0, 40_000)).Draw(t, "i")
			for len(model) <= i {
				model = append(model, 0)
			}
			model = append([]int(nil), model...)
			item := rapid.Int().Draw(t, "item")
			model[i] = item
			v = v.set(i, item)
			states = append(states, state{v, model})
		}
		for _, s := range states {
			if s.v.len() != len(s.model) {
				t.Fatalf("%d long, want %d", s.v.len(), len(s.model))
			}
			for i, want := range s.model {
				if got := s.v.get(i); got != want {
					t.Fatalf("item %d is %d, want %d", i, got, want)
				}
			}
		}
	})
}

func TestVectorCopiesLittle(t *testing.T) {
	var v vector[*Partition]
	p := new(Partition)
	for i := range 100_000 {
		v = v.set(i, p)
	}
	if n := bytesPerRun(func() { v.set(54_321, p) }); n > 2048 {
		t.Errorf("changing one of 100,000 copies %d bytes", n)
	}
}

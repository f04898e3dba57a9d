package replication

import "testing"

// What several cuts are expected to take is what Copy takes then, and nothing is changed or doubted before: a cut that is
// refused, or an answer that came too late, leaves no trace.
func TestCutsAreExpectedWhereTheyWillBe(t *testing.T) {
	p := newPair(t)
	leads, follows := p.roles(1)
	p.write(leads, 10)
	copyAll(t, leads, follows)
	p.swap()
	deposed, _ := p.roles(2)
	p.write(deposed, 5)
	p.swap()
	leads, follows = p.roles(3)
	p.write(leads, 3)

	answer := Copied{Epoch: 3, Offset: 15, Diverges: true, Diverging: EpochEnd{Epoch: 1, End: 10}}
	late := answer
	late.Epoch = 2
	for _, c := range []Copied{late, {Epoch: 3, Offset: 15}, {Epoch: 3, Offset: 14, Diverges: true}} {
		if cut, due := follows.expected(c); due {
			t.Errorf("%+v cuts %+v", c, cut)
		}
	}
	if cut, due := follows.expected(answer); !due || cut.To != 10 || cut.Log != follows.Log() {
		t.Errorf("cut %+v, %v", cut, due)
	}
	follows.Log().SetHighWatermark(12)
	if cut, due := follows.expected(answer); due {
		t.Errorf("records that were shown as safe are expected to go: %+v", cut)
	}
	follows.Log().SetHighWatermark(10)

	ExpectCuts([]Parting{{follows, answer}})
	if end := follows.State().LogEnd; end != 15 {
		t.Fatalf("ends at %d before it is cut", end)
	}
	if cut, err := follows.Copy(answer); err != nil || cut.From != 10 || cut.To != 15 {
		t.Fatalf("cut %+v, %v", cut, err)
	}
	copyAll(t, leads, follows)
}

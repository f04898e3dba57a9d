package keeper

import (
	"context"
	"slices"
	"sync"

	"barnabas/internal/keeper/rollcall"
)

// A link between two keepers may be cut while others hear both. Whom a member does not hear it has those ask for it that it
// does hear, there and then: what it is told is as fresh as an answer of its own would be, only that it came a longer way.
// Nothing that anybody remembers is passed on. See docs/ARCHITECTURE.md.

// seekWithin bounds a question that has another one asked.
const seekWithin = 2 * askWithin

// seek has those who were heard ask for those who were not, and decides anew if that has told something. Only a member
// that holds a log and waits has a use for it.
func (m *Member) seek(ctx context.Context, d *decision) {
	var missing []int
	for _, n := range d.hall.Self.Configured {
		if _, heard := d.hall.Heard[n]; !heard && n != m.options.Number {
			missing = append(missing, n)
		}
	}
	if d.Do != rollcall.Wait || d.hall.Self.Log == nil || len(missing) == 0 || len(d.hall.Heard) == 0 {
		return
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	told := map[int]rollcall.Standing{}
	for number, address := range d.addresses {
		all.Go(func() {
			a, err := m.ask(ctx, address, question{Number: number, Seek: missing}, seekWithin)
			if err != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for _, s := range a.Found {
				if old, known := told[s.Number]; slices.Contains(missing, s.Number) && (!known || old.Log == nil && s.Log != nil) {
					told[s.Number] = s
				}
			}
		})
	}
	all.Wait()
	if len(told) == 0 {
		return
	}
	d.hall.Told = told
	d.hall.Self = m.standing()
	d.Decision = d.hall.Decide()
}

// find asks others on behalf of one that does not hear them.
func (m *Member) find(ctx context.Context, numbers []int) []rollcall.Standing {
	var mu sync.Mutex
	var all sync.WaitGroup
	found := map[int]rollcall.Standing{}
	for number, addresses := range m.places() {
		if number == m.options.Number || !slices.Contains(numbers, number) {
			continue
		}
		for _, address := range addresses {
			all.Go(func() {
				a, err := m.ask(ctx, address, question{Number: number}, askWithin)
				if err != nil || a.Self == nil || a.Self.Number != number {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if old, known := found[number]; !known || old.Log == nil && a.Self.Log != nil {
					found[number] = *a.Self
				}
			})
		}
	}
	all.Wait()
	var list []rollcall.Standing
	for _, s := range found {
		list = append(list, s)
	}
	return list
}

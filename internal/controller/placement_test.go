package controller

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"barnabas/internal/ident"
)

// Whatever the racks: every replica on a broker of its own, as many racks as can be, leaders even, and
// nobody who is down while others are left.
func TestPlacement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		brokers := drawBrokers(t)
		replicas := rapid.IntRange(1, len(brokers)).Draw(t, "replicas")
		partitions := rapid.IntRange(1, 50).Draw(t, "partitions")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		placed, why := place(brokers, partitions, replicas, random)
		if why != "" {
			t.Fatal(why)
		}
		if len(placed) != partitions {
			t.Fatalf("%d partitions placed, want %d", len(placed), partitions)
		}
		for _, chosen := range placed {
			checkPlaced(t, brokers, chosen, replicas)
		}
	})
}

func drawBrokers(t *rapid.T) []candidate {
	n := rapid.IntRange(1, 12).Draw(t, "brokers")
	brokers := make([]candidate, n)
	for i := range brokers {
		brokers[i] = candidate{
			id:   ident.BrokerID(i),
			rack: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "rack"),
			down: i > 0 && rapid.Bool().Draw(t, "down"),
		}
	}
	return brokers
}

func checkPlaced(t *rapid.T, brokers []candidate, chosen []ident.BrokerID, replicas int) {
	if len(chosen) != replicas {
		t.Fatalf("%v: want %d replicas", chosen, replicas)
	}
	if brokers[chosen[0]].down {
		t.Fatalf("%v: the leader is down", chosen)
	}
	seen := map[ident.BrokerID]bool{}
	racks, upRacks := map[string]bool{}, map[string]bool{}
	up, chosenUp := 0, 0
	for _, b := range brokers {
		if !b.down {
			up++
			upRacks[b.rack] = true
		}
	}
	for _, id := range chosen {
		if seen[id] {
			t.Fatalf("%v: a broker twice", chosen)
		}
		seen[id] = true
		if !brokers[id].down {
			chosenUp++
			racks[brokers[id].rack] = true
		}
	}
	if chosenUp != min(up, replicas) {
		t.Fatalf("%v: %d that are up, of %d", chosen, chosenUp, up)
	}
	if len(racks) != min(len(upRacks), replicas) {
		t.Fatalf("%v: on %d racks of %d", chosen, len(racks), len(upRacks))
	}
}

func TestLeadersAreEven(t *testing.T) {
	for name, racks := range map[string][]string{
		"one rack":   {"", "", ""},
		"two by two": {"a", "a", "b", "b"},
		"three":      {"a", "b", "c"},
	} {
		t.Run(name, func(t *testing.T) {
			var brokers []candidate
			for i, rack := range racks {
				brokers = append(brokers, candidate{id: ident.BrokerID(i), rack: rack})
			}
			const rounds = 25
			placed, why := place(brokers, rounds*len(brokers), 2, rand.New(rand.NewPCG(3, 4)))
			if why != "" {
				t.Fatal(why)
			}
			led := map[ident.BrokerID]int{}
			for _, chosen := range placed {
				led[chosen[0]]++
			}
			for id, n := range led {
				if n < rounds*8/10 || n > rounds*12/10 {
					t.Errorf("broker %d leads %d of %d partitions", id, n, len(placed))
				}
			}
		})
	}
}

package cli

import (
	"maps"
	"slices"
	"testing"
)

func TestRisksOf(t *testing.T) {
	topics := []topicDescription{
		{Name: "alone", Partitions: []partitionDescription{{Replicas: []int32{1}, ISR: []int32{1}}}},
		{Name: "fine", Partitions: []partitionDescription{{Replicas: []int32{1, 2, 3}, ISR: []int32{1, 2, 3}}}},
		{Name: "short", Partitions: []partitionDescription{{Replicas: []int32{1, 2, 3}, ISR: []int32{1, 3}}}},
		{Name: "elsewhere", Partitions: []partitionDescription{{Replicas: []int32{2}, ISR: []int32{2}}}},
	}
	minISR := map[string]int{"alone": 2, "fine": 2, "short": 2, "elsewhere": 1}
	var names []string
	for _, r := range risksOf(topics, minISR, 1) {
		names = append(names, r.Topic+": "+r.Why)
	}
	want := []string{"alone: no other broker holds all its records", "short: 1 of 2 other brokers are in sync"}
	if !slices.Equal(names, want) {
		t.Errorf("at risk without 1: %q, want %q", names, want)
	}
	if r := risksOf(topics, minISR, 4); len(r) != 0 {
		t.Errorf("at risk without a broker that holds nothing: %v", r)
	}
}

func TestDrained(t *testing.T) {
	topics := []topicDescription{{Name: "t", Partitions: []partitionDescription{
		{Partition: 0, Replicas: []int32{1}},
		{Partition: 1, Replicas: []int32{1, 2}},
		{Partition: 2, Replicas: []int32{1, 2, 3}}, // nobody else is there
		{Partition: 3, Replicas: []int32{2, 3}},
	}}}
	got := drained(topics, map[int32]bool{1: true, 2: true, 3: true}, 1)
	want := map[partitionName][]int32{{"t", 0}: {3}, {"t", 1}: {3, 2}}
	if !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("drained %v, want %v", got, want)
	}
}

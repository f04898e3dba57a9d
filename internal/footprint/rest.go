package footprint

import (
	"runtime/metrics"
	"time"
)

const (
	// restPercent of a core is what a process uses at most that rests: a broker that nobody speaks to uses less.
	restPercent = 2
	// restBytes is how much memory has to have come since it was last given back. A small heap never grows by that much
	// between two collections, so only bursts are followed by one more.
	restBytes = 16 << 20
)

// Rest finds the moments at which a process has come to rest after a burst, say the making of 10,000 partitions. The zero
// Rest has just given back. It belongs to one goroutine.
type Rest struct {
	last  Usage
	quiet bool   // between the last two calls of Due
	floor uint64 // the least that was held since memory was last given back
}

// Usage is what a process has used until a moment.
type Usage struct {
	At        time.Time
	Processor time.Duration // of all threads since the start
	Held      uint64        // bytes that the runtime holds of the system's memory
}

// Due takes what is used now, and tells whether it is time to give back: little was done since the last call, and much
// memory has come since the last time. Whoever is told so gives back, and calls Given.
func (r *Rest) Due(now Usage) bool {
	last := r.last
	r.last = now
	if last.At.IsZero() {
		r.floor = now.Held
		return false
	}
	r.floor = min(r.floor, now.Held)
	r.quiet = (now.Processor-last.Processor)*100 <= now.At.Sub(last.At)*restPercent
	return r.quiet && now.Held >= r.floor+restBytes
}

// Quiet tells whether little was done between the last two calls of Due.
func (r *Rest) Quiet() bool { return r.quiet }

// Given notes what is held after memory was given back.
func (r *Rest) Given(held uint64) { r.floor = held }

// Held is how many bytes of the system's memory the runtime holds.
func Held() uint64 {
	samples := [2]metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples[:])
	return samples[0].Value.Uint64() - samples[1].Value.Uint64()
}

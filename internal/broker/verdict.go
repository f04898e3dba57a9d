package broker

import (
	"slices"
	"time"

	"barnabas/internal/ident"
)

// answerWithin is how long a broker that others do not reach has to show, by way of the metadata store, that it lives.
const answerWithin = time.Second

// silentAfter is for how long a follower that can't be reached has not fetched before its leader goes on without it. One
// that copies asks at least every replica.fetch.wait.max.ms.
const silentAfter = pulseWithin + answerWithin

// peerState is what is known of a registered broker that others may not reach.
type peerState struct {
	id      ident.BrokerID
	leaving bool
	// doubters say that it does not answer them; of those, refused say that its address refuses connections.
	doubters, refused []ident.BrokerID
	// answered: it has said by way of the metadata store that it lives, since the last of them spoke.
	answered bool
	// age is how long ago the first of them spoke.
	age time.Duration
}

// silent tells whether the broker has had its time to answer, and has not.
func (p *peerState) silent() bool {
	return len(p.doubters) > 0 && !p.answered && p.age >= answerWithin
}

// unheardBy tells whether a broker itself does not reach this one, and has not for a while.
func (p *peerState) unheardBy(id ident.BrokerID) bool {
	return p.age >= answerWithin && slices.Contains(p.doubters, id)
}

// condemned are the brokers whose registrations are to be ended now. What one broker can't reach may be that one's
// fault, so the word of one among several counts for nothing:
//
//   - At once: a broker whose address refuses most of the others. No process is there.
//   - After answerWithin, and having given no sign: a broker that most of the others do not reach, where those
//     that are silent themselves are not counted, for two may vanish together.
//   - After answerWithin, although it answers: a broker that more than half of all do not reach. It could copy
//     nothing from them, nor they from it. In a split down the middle that is nobody.
//
// A broker that is leaving refuses connections as a matter of course before its registration goes.
func condemned(peers []peerState) []ident.BrokerID {
	var silent, out []ident.BrokerID
	for i := range peers {
		if peers[i].silent() {
			silent = append(silent, peers[i].id)
		}
	}
	for i := range peers {
		p := &peers[i]
		others := len(peers) - 1
		responsive, doubters := others, 0
		for _, id := range silent {
			if id != p.id {
				responsive--
			}
		}
		for _, id := range p.doubters {
			if !slices.Contains(silent, id) {
				doubters++
			}
		}
		switch {
		case !p.leaving && !p.answered && 2*len(p.refused) > others,
			p.silent() && 2*doubters > responsive,
			p.answered && p.age >= answerWithin && 2*doubters > len(peers):
			out = append(out, p.id)
		}
	}
	return out
}

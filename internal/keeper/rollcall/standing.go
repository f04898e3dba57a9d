// Package rollcall decides how a keeper comes to life: what a member of the ensemble does when it has heard
// what the others hold. It is pure: what members say of themselves comes in, one decision comes out. The wire, the
// directories and etcd are keeper's.
package rollcall

import "slices"

// Version is that of the roll-call's messages. A member answers whoever says the same.
const Version = 1

// Standing is what a member says of itself.
type Standing struct {
	// Number tells which of the configured members it is: 1 to 255.
	Number int `json:"number"`
	// Run is random and that of the process: two processes of one number differ in it.
	Run string `json:"run"`
	// Configured are the numbers of all members that it was told of.
	Configured []int `json:"configured,omitempty"`
	// Peer is its own address for members, empty while it does not know it.
	Peer string `json:"peer,omitempty"`
	// Client is the port for clients at that address.
	Client int `json:"client,omitempty"`
	// Log is what it holds, nil for an empty directory.
	Log *Log `json:"log,omitempty"`
	// Leaving says that it has been told to stop.
	Leaving bool `json:"leaving,omitempty"`
	// Running says that its engine runs on the log: it may vote, and may be voted for.
	Running bool `json:"running,omitempty"`
	// Had is, in what a leader answers, how far the log of the one that asks has been, 0 where it does not know.
	Had uint64 `json:"had,omitempty"`
}

// Log is a member's log and what it knows of the ensemble by it.
type Log struct {
	// Ensemble is the ensemble's identity. Each founding, and each recovery, makes a new one.
	Ensemble string `json:"ensemble"`
	// Ancestors are the ensembles that it was recovered from, the oldest first.
	Ancestors []string `json:"ancestors,omitempty"`
	// Member is the member's own identity in the ensemble. A member that comes back empty gets another one.
	Member uint64 `json:"member"`
	// Newborn says that no client has been let in yet: the log holds nothing that anybody counts on.
	Newborn bool `json:"newborn,omitempty"`
	// Term and Index are the end of the log.
	Term  uint64 `json:"term"`
	Index uint64 `json:"index"`
	// Leader is the member that it follows, 0 while it follows none.
	Leader uint64 `json:"leader,omitempty"`
	// Members are all members by what this one knows to be committed: by them it votes and counts votes, at rest as well as
	// running. A change of membership that its log holds beyond that is not among them, whatever became of it elsewhere.
	Members []Member `json:"members,omitempty"`
}

// Member is one member of an ensemble.
type Member struct {
	ID     uint64 `json:"id"`
	Number int    `json:"number"`
	// Peer is its address, host:port, for other members.
	Peer string `json:"peer"`
	// Learner says that it does not count yet.
	Learner bool `json:"learner,omitempty"`
}

// Leads tells whether the member itself is the leader.
func (l *Log) Leads() bool { return l != nil && l.Leader != 0 && l.Leader == l.Member }

// Has finds a member by its identity.
func (l *Log) Has(id uint64) bool {
	return slices.ContainsFunc(l.Members, func(m Member) bool { return m.ID == id })
}

// descends tells whether the ensemble is the other one, or was recovered from it.
func (l *Log) descends(from *Log) bool {
	return l.Ensemble == from.Ensemble || slices.Contains(l.Ancestors, from.Ensemble)
}

// further tells whether l holds more than other. Of an ensemble and one that was recovered from it the later one counts.
func (l *Log) further(other *Log) bool {
	if l.Ensemble != other.Ensemble {
		return len(l.Ancestors) > len(other.Ancestors)
	}
	return l.longer(other)
}

// longer compares the ends of two logs of one ensemble, as members do before they vote.
func (l *Log) longer(other *Log) bool {
	if l.Term != other.Term {
		return l.Term > other.Term
	}
	return l.Index > other.Index
}

// votes tells whether the member counts, by what is known here, and is known.
func (l *Log) votes(id uint64) bool {
	return slices.ContainsFunc(l.Members, func(m Member) bool { return m.ID == id && !m.Learner })
}

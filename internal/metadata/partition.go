package metadata

import (
	"slices"

	"barnabas/internal/ident"
	"barnabas/internal/record"
)

// Partition is the state of one partition. Leaders and the controller change it by a transaction
// that compares Modified.
type Partition struct {
	// Replicas are the brokers assigned; the first is the preferred leader.
	Replicas []ident.BrokerID
	// ISR is the in-sync set and ELR the eligible leader replicas (KIP-966). Both name the store that
	// holds the copy, so that a broker that returns with another store is in neither.
	ISR, ELR []Member
	// Adding and Removing are the replicas that a reassignment under way brings and takes (KIP-455).
	Adding, Removing []ident.BrokerID
	// Leader is ident.NoBroker while the partition is offline.
	Leader ident.BrokerID
	// LeaderEpoch grows with each change of leader.
	LeaderEpoch record.Epoch
	// Epoch is the partition epoch: it grows with each change of any of this.
	Epoch int32
	// Named is the leader epoch that the last election of a copy began that may lack records, 0 while there was none. A
	// store gives up records below its high watermark only where they are older than that.
	Named record.Epoch
	// Ceiling is the end of the offsets that the leader may give out. An offset once below it is
	// never given out again after the stores that held it are lost.
	Ceiling record.Offset
	// Start is where a leader's log begins that had to be made anew. It is 0 until all copies are lost,
	// and then the Ceiling of that moment.
	Start record.Offset
	// Inquiry says that the stores are asked what they hold of the partition, since no copy that counts leads. Answers
	// name the LeaderEpoch in which they were asked.
	Inquiry Inquiry
	// Resume is up to where a leader fills its log, with a batch that holds no record, before it gives out
	// offsets: those below may have been given out by a leader whose records are lost.
	Resume record.Offset
	// Looked is the revision up to which the controller has looked for registrations that say that the end of a copy in the sets
	// may be missing: a later one begins a new leader epoch, whoever else has written this state since. 0 while none has.
	Looked Revision
	// Modified is the revision of this state.
	Modified Revision

	// refuges is nil for nearly all of a million partitions.
	refuges *[]Refuge
}

// Refuge is a replica that broker At has in the place of From, which left.
type Refuge struct{ From, At ident.BrokerID }

// Inquiry is why stores are asked what they hold, which decides whose answer is waited for.
type Inquiry uint8

const (
	// NoInquiry: nobody is asked.
	NoInquiry Inquiry = iota
	// InquiryDestroyed: every store that held all is destroyed. Any replica that is not may hold a part, so each is waited for.
	InquiryDestroyed
	// InquiryTorn: the machines of those in sync went down, and the ends of their logs may be missing. They are all
	// waited for.
	InquiryTorn
	// InquiryUnclean: the topic, or an operator, wants whatever there is now.
	InquiryUnclean
	// InquiryRestored: the state was put back by brokers that had it on their disks, when the keepers had lost everything and
	// nobody lived, and one that has not said what it knows may have led on by a later one. Every replica is waited for that
	// is not destroyed.
	InquiryRestored
)

// CeilingStep is how much a Ceiling is raised at a time: a leader gives out millions of offsets between two
// writes of the metadata.
const CeilingStep record.Offset = 10_000_000

// Member is a copy of a partition: a broker, and the store that the copy is on. A zero Store
// stands for a copy that its broker has not made yet: any store it makes it on will do.
type Member struct {
	Broker ident.BrokerID
	Store  ident.StoreID
}

// AnyMember tells whether a member of either set is so.
func (p *Partition) AnyMember(is func(Member) bool) bool {
	return slices.ContainsFunc(p.ISR, is) || slices.ContainsFunc(p.ELR, is)
}

// InSets finds a broker's copy in the in-sync set or among the eligible: it is in one of them at most.
func (p *Partition) InSets(id ident.BrokerID) (Member, bool) {
	if m, inSync := p.InISR(id); inSync {
		return m, true
	}
	return p.InELR(id)
}

// InISR finds a broker in the in-sync set.
func (p *Partition) InISR(id ident.BrokerID) (Member, bool) { return findMember(p.ISR, id) }

// InELR finds a broker among the eligible leader replicas.
func (p *Partition) InELR(id ident.BrokerID) (Member, bool) { return findMember(p.ELR, id) }

// HasReplica tells whether the broker is assigned to the partition.
func (p *Partition) HasReplica(id ident.BrokerID) bool { return slices.Contains(p.Replicas, id) }

// PreferredLeader is the first replica.
func (p *Partition) PreferredLeader() ident.BrokerID {
	if len(p.Replicas) == 0 {
		return ident.NoBroker
	}
	return p.Replicas[0]
}

// Reassigning tells whether replicas are being moved.
func (p *Partition) Reassigning() bool { return len(p.Adding) > 0 || len(p.Removing) > 0 }

// Refuges are the replicas that are where they are because brokers left that had nobody to leave them to. At most one
// for each replica; they go back when those brokers serve again.
func (p *Partition) Refuges() []Refuge {
	if p.refuges == nil {
		return nil
	}
	return *p.refuges
}

// SetRefuges has them be others. The slice is the partition's from then on, and copies of its state share it.
func (p *Partition) SetRefuges(refuges []Refuge) {
	p.refuges = nil
	if len(refuges) > 0 {
		p.refuges = &refuges
	}
}

// ComingHome tells whether the replicas that are being moved go back to a broker that left.
func (p *Partition) ComingHome() bool {
	return slices.ContainsFunc(p.Refuges(), func(r Refuge) bool { return slices.Contains(p.Adding, r.From) })
}

func findMember(members []Member, id ident.BrokerID) (Member, bool) {
	for _, m := range members {
		if m.Broker == id {
			return m, true
		}
	}
	return Member{Broker: ident.NoBroker}, false
}

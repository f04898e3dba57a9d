package metadata

import (
	"encoding/binary"
	"fmt"

	"barnabas/internal/ident"
	"barnabas/internal/record"
)

// The versions of a partition's value. There are a million of them, so it is
// binary: about 40 bytes with one replica, 80 with three. Version 2 is written only where an election has named
// a copy that may lack records, or looks for one, version 3 only where the end of a copy may have been missing, version 4 only where a replica is away from home.
const (
	partitionVersion       = 1
	partitionVersionNamed  = 2
	partitionVersionLooked = 3
	partitionVersionRefuge = 4
)

// maxReplicas bounds the replicas that one partition can name: more is a corrupt value.
const maxReplicas = 1024

// EncodePartition is the value of a PartitionKey. Modified is not part of it.
func EncodePartition(p *Partition) []byte {
	buf := make([]byte, 0, 28+2*len(p.Replicas)+18*(len(p.ISR)+len(p.ELR)))
	named := p.Inquiry != NoInquiry || p.Resume != 0 || p.Named != 0
	buf = append(buf, partitionVersion)
	if named {
		buf[0] = partitionVersionNamed
	}
	looked := p.Looked != 0 || len(p.Refuges()) > 0
	if looked {
		named, buf[0] = true, partitionVersionLooked
	}
	if len(p.Refuges()) > 0 {
		buf[0] = partitionVersionRefuge
	}
	buf = binary.AppendUvarint(buf, uint64(int64(p.Leader)+1))
	buf = binary.AppendUvarint(buf, uint64(p.LeaderEpoch))
	buf = binary.AppendUvarint(buf, uint64(p.Epoch))
	buf = binary.AppendUvarint(buf, uint64(p.Ceiling))
	buf = binary.AppendUvarint(buf, uint64(p.Start))
	buf = appendBrokers(buf, p.Replicas)
	buf = appendMembers(buf, p.ISR)
	buf = appendMembers(buf, p.ELR)
	buf = appendBrokers(buf, p.Adding)
	buf = appendBrokers(buf, p.Removing)
	if named {
		buf = append(buf, byte(p.Inquiry))
		buf = binary.AppendUvarint(buf, uint64(p.Resume))
		buf = binary.AppendUvarint(buf, uint64(p.Named))
	}
	if looked {
		buf = binary.AppendUvarint(buf, uint64(p.Looked))
	}
	if len(p.Refuges()) > 0 {
		buf = binary.AppendUvarint(buf, uint64(len(p.Refuges())))
		for _, r := range p.Refuges() {
			buf = binary.AppendUvarint(buf, uint64(r.From))
			buf = binary.AppendUvarint(buf, uint64(r.At))
		}
	}
	return buf
}

func appendBrokers(buf []byte, ids []ident.BrokerID) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(ids)))
	for _, id := range ids {
		buf = binary.AppendUvarint(buf, uint64(id))
	}
	return buf
}

func appendMembers(buf []byte, members []Member) []byte {
	buf = binary.AppendUvarint(buf, uint64(len(members)))
	for _, m := range members {
		buf = binary.AppendUvarint(buf, uint64(m.Broker))
		buf = append(buf, m.Store[:]...)
	}
	return buf
}

// DecodePartition reads a PartitionKey's value: ErrNewerFormat when a newer release wrote it, or ErrCorrupt.
func DecodePartition(value []byte) (*Partition, error) {
	if len(value) > 0 && value[0] > partitionVersionRefuge {
		return nil, fmt.Errorf("%w: a partition has version %d, this release knows %d",
			ErrNewerFormat, value[0], partitionVersionRefuge)
	}
	d := decoder{rest: value}
	if len(value) == 0 || value[0] < partitionVersion {
		return nil, fmt.Errorf("%w: not a partition", ErrCorrupt)
	}
	d.rest = value[1:]
	p := &Partition{
		Leader:      ident.BrokerID(int64(d.number(1<<31)) - 1),
		LeaderEpoch: record.Epoch(d.number(1<<31 - 1)),
		Epoch:       int32(d.number(1<<31 - 1)),
		Ceiling:     record.Offset(d.number(1<<63 - 1)),
		Start:       record.Offset(d.number(1<<63 - 1)),
	}
	p.Replicas = d.brokers()
	p.ISR = d.members()
	p.ELR = d.members()
	p.Adding = d.brokers()
	p.Removing = d.brokers()
	if value[0] >= partitionVersionNamed {
		p.Inquiry = Inquiry(d.number(uint64(InquiryRestored)))
		p.Resume = record.Offset(d.number(1<<63 - 1))
		p.Named = record.Epoch(d.number(1<<31 - 1))
	}
	if value[0] >= partitionVersionLooked {
		p.Looked = Revision(d.number(1<<63 - 1))
	}
	if value[0] >= partitionVersionRefuge {
		p.SetRefuges(d.refuges())
	}
	if d.failed || len(d.rest) > 0 {
		return nil, fmt.Errorf("%w: a partition's value of %d bytes", ErrCorrupt, len(value))
	}
	return p, nil
}

// decoder reads numbers until one is wrong; then failed is set and all that follows is zero.
type decoder struct {
	rest   []byte
	failed bool
}

func (d *decoder) number(most uint64) uint64 {
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > most {
		d.failed, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) brokers() []ident.BrokerID {
	n := d.number(maxReplicas)
	if n == 0 {
		return nil
	}
	ids := make([]ident.BrokerID, 0, n)
	for range n {
		ids = append(ids, ident.BrokerID(d.number(1<<31-1)))
	}
	return ids
}

func (d *decoder) refuges() (all []Refuge) {
	for range d.number(maxReplicas) {
		all = append(all, Refuge{From: ident.BrokerID(d.number(1<<31 - 1)), At: ident.BrokerID(d.number(1<<31 - 1))})
	}
	return all
}

func (d *decoder) members() []Member {
	n := d.number(maxReplicas)
	if n == 0 {
		return nil
	}
	members := make([]Member, 0, n)
	for range n {
		m := Member{Broker: ident.BrokerID(d.number(1<<31 - 1))}
		if len(d.rest) < len(m.Store) {
			d.failed, d.rest = true, nil
			return nil
		}
		copy(m.Store[:], d.rest)
		d.rest = d.rest[len(m.Store):]
		members = append(members, m)
	}
	return members
}

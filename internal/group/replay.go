package group

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// replayGroup makes the group what its record says.
func (m *machine) replayGroup(key groupKey, value []byte) error {
	old := m.groups[key.group]
	if value == nil {
		if old != nil {
			m.remove(old)
		}
		return nil
	}
	v, err := decodeGroup(value)
	if err != nil {
		return err
	}
	if old != nil {
		old.stopTimers()
	} else if m.groups == nil {
		m.groups = map[string]*group{}
	}
	g := newGroup(m, key.group, time.Time{})
	if old != nil {
		g.offsets = old.offsets
	}
	g.load(v)
	m.groups[key.group] = g
	return nil
}

func decodeGroup(value []byte) (*kmsg.GroupMetadataValue, error) {
	if len(value) < 2 {
		return nil, errBadRecord
	}
	v := &kmsg.GroupMetadataValue{Version: int16(binary.BigEndian.Uint16(value))}
	if v.Version < 0 || v.Version > 4 {
		return nil, fmt.Errorf("%w: a group of version %d", errBadRecord, v.Version)
	}
	if err := checkGroupTags(value); err != nil {
		return nil, err
	}
	if err := v.ReadFrom(bytes.Clone(value)); err != nil {
		return nil, fmt.Errorf("%w: a group: %w", errBadRecord, err)
	}
	return v, nil
}

// load fills a new group from its record.
func (g *group) load(v *kmsg.GroupMetadataValue) {
	if v.CurrentStateTimestamp >= 0 {
		g.stateSince = time.UnixMilli(v.CurrentStateTimestamp)
	}
	g.generation = v.Generation
	g.protocol = v.Protocol
	for i := range v.Members {
		g.add(g.loadMember(v, &v.Members[i]))
	}
	if len(g.members) > 0 {
		g.state = stable
	}
	g.protocolType = v.ProtocolType
	g.leader = ""
	if v.Leader != nil {
		g.leader = *v.Leader
	}
	g.topics = g.subscribedTopics()
}

func (g *group) loadMember(v *kmsg.GroupMetadataValue, r *kmsg.GroupMetadataValueMember) *member {
	mb := &member{
		id:               r.MemberID,
		instanceID:       r.InstanceID,
		client:           Client{ID: r.ClientID, Host: r.ClientHost},
		protocolType:     v.ProtocolType,
		protocols:        []protocol{{Name: g.protocolName(), Metadata: r.Subscription}},
		sessionTimeout:   time.Duration(r.SessionTimeoutMillis) * time.Millisecond,
		rebalanceTimeout: time.Duration(r.RebalanceTimeoutMillis) * time.Millisecond,
		assignment:       r.Assignment,
	}
	if r.RebalanceTimeoutMillis < 0 || v.Version == 0 { // which had one timeout for both
		mb.rebalanceTimeout = mb.sessionTimeout
	}
	g.watch(mb)
	return mb
}

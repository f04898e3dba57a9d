package keeper

import (
	"context"
	"errors"
	"net"
	"slices"
	"time"
)

// A Deployment without a readiness probe has its old pod told to stop as soon as the new one's process exists: before that
// can have called. But the Service's name leads to the new pod by then, and that shows.

const (
	// lookWithin is how long a Service may take to lead elsewhere, after a member was told to stop.
	lookWithin = time.Second
	// heirWithin is how long a newcomer may take to call, once the member's name leads elsewhere.
	heirWithin = 10 * time.Second
)

// expects tells whether a newcomer may yet call, so long after the member was told to stop: the member's own name is a
// Service's and leads elsewhere, or may do so in a moment.
func (m *Member) expects(ctx context.Context, since time.Duration) bool {
	if since > heirWithin {
		return false
	}
	m.mu.Lock()
	name, address := m.name, m.address
	m.mu.Unlock()
	if name == "" || name == address {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookWithin)
	defer cancel()
	found, err := net.DefaultResolver.LookupHost(ctx, name)
	switch {
	case err != nil:
		return since < lookWithin
	case slices.ContainsFunc(found, func(one string) bool { return one == address || isOwn(one) }):
		return false // no Service stands before it
	}
	a, err := m.ask(ctx, join(name, m.own.RollCallPort), question{Number: m.options.Number}, lookWithin/2)
	if errors.Is(err, errOwnVoice) || err == nil && a.Self != nil && a.Self.Run == m.run {
		return since < lookWithin
	}
	return true
}

// isOwn tells whether an address is one of this machine's, or pod's.
func isOwn(address string) bool {
	own, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(own, func(a net.Addr) bool {
		ip, ok := a.(*net.IPNet)
		return ok && ip.IP.String() == address
	})
}

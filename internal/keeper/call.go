package keeper

import (
	"context"
	"net"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
)

const (
	// callEvery is how often the leader calls on the others by their names, and followEvery how often the others do: so
	// those hear of it to whom the names lead by now.
	callEvery   = 200 * time.Millisecond
	followEvery = 300 * time.Millisecond
	// findEvery is how often they call where an address can lead to nobody but the member that is there.
	findEvery = 5 * time.Second
)

// call says to whoever answers under the others' names that this member lives. False where all of the names are
// addresses that lead to members which live: there is nobody else then to hear of it.
func (m *Member) call(ctx context.Context, server *etcdServer) (calls bool) {
	var meant []Server
	for _, s := range m.options.Servers {
		if s.Number != m.options.Number && !m.leadsToMember(server, s) {
			meant = append(meant, s)
		}
	}
	if len(meant) == 0 {
		return false
	}
	every := followEvery
	if server.Leader() == server.MemberID() {
		every = callEvery
	}
	if time.Since(m.lastCall) < every || !m.calling.TryLock() {
		return true
	}
	m.lastCall = time.Now()
	m.background.Go(func() {
		defer m.calling.Unlock()
		for _, s := range meant {
			a, err := m.ask(ctx, join(s.Host, s.RollCallPort), question{Number: s.Number}, askWithin)
			if err == nil {
				m.learn(a)
			}
			m.notice(s, a)
		}
	})
	return true
}

// finding is a member that answered at the IP address that is configured for its number, and has that address itself:
// nothing on the way to it leads now to this process and then to that one, as a Service does.
type finding struct {
	member types.ID
	at     time.Time
}

// notice notes who answered at a configured address.
func (m *Member) notice(s Server, a answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.findings, s.Number)
	ip := addressOf(s)
	if ip == nil || !ip.Equal(net.ParseIP(a.Here)) || a.Self == nil || a.Self.Number != s.Number || a.Self.Log == nil {
		return
	}
	if m.findings == nil {
		m.findings = map[int]finding{}
	}
	m.findings[s.Number] = finding{types.ID(a.Self.Log.Member), time.Now()}
}

// leadsToMember tells whether a configured address leads to a member that lives, and to nobody else. Should that one go,
// its connections break, and others may be found there. A member that does not count yet calls all the same: it is only
// by answers that it knows of its leader.
func (m *Member) leadsToMember(server *etcdServer, s Server) bool {
	m.mu.Lock()
	f, found := m.findings[s.Number]
	m.mu.Unlock()
	if !found || time.Since(f.at) > findEvery {
		return false
	}
	self, member := server.Cluster().Member(server.MemberID()), server.Cluster().Member(f.member)
	if self == nil || self.IsLearner || member == nil || member.IsLearner || numberOf(member.Name) != s.Number {
		return false
	}
	host, _, err := net.SplitHostPort(strings.TrimPrefix(first(member.PeerURLs), "http://"))
	if err != nil || !addressOf(s).Equal(net.ParseIP(host)) {
		return false
	}
	transport, err := transportOf(server)
	return err == nil && !transport.ActiveSince(f.member).IsZero()
}

// addressOf is the IP address that is configured for a server, nil where it is a name, or every address.
func addressOf(s Server) net.IP {
	ip := net.ParseIP(strings.Trim(s.Host, "[]"))
	if ip == nil || ip.IsUnspecified() {
		return nil
	}
	return ip
}

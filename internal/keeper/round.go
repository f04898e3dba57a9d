package keeper

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/etcdserver"

	"barnabas/internal/keeper/rollcall"
)

type etcdServer = etcdserver.EtcdServer

// decision is a round's, and what the round has seen.
type decision struct {
	rollcall.Decision
	hall *rollcall.Hall
	// addresses are where the members answered, by number.
	addresses map[int]string
}

// round asks everyone once, and decides.
func (m *Member) round(ctx context.Context) decision {
	d := decision{
		hall:      &rollcall.Hall{Heard: map[int]rollcall.Standing{}, Silent: map[int]string{}},
		addresses: map[int]string{},
	}
	var mu sync.Mutex
	var all sync.WaitGroup
	for number, addresses := range m.places() {
		all.Go(func() {
			for _, address := range addresses {
				a, err := m.ask(ctx, address, question{Number: number}, askWithin)
				if err == nil && a.Self != nil && a.Self.Run == m.run {
					err = errOwnVoice
				}
				why := ""
				if err != nil {
					why = m.suspect(ctx, number, err)
				}
				mu.Lock()
				if err == nil && a.Self != nil && number == m.options.Number && a.Self.Number == number && a.Self.Run != m.run {
					d.hall.Double = a.Self
				}
				if err == nil && a.Self != nil && a.Self.Number == number && (number != m.options.Number || m.incumbent(a.Self)) {
					if old, heard := d.hall.Heard[number]; !heard || a.Self.Log != nil && old.Log == nil {
						d.hall.Heard[number], d.addresses[number] = *a.Self, address
					}
				} else if err != nil {
					d.hall.Silent[number] = why
				}
				mu.Unlock()
				if err == nil {
					m.learn(a)
				}
			}
		})
	}
	all.Wait()
	d.hall.Self = m.standing()
	d.Decision = d.hall.Decide()
	m.seek(ctx, &d)
	return d
}

// incumbent tells whether another process under the own number is the one whose place this one is to take.
func (m *Member) incumbent(other *rollcall.Standing) bool {
	own := m.held()
	return (own == nil || own.Newborn) && other.Run != m.run && other.Log != nil && !other.Log.Newborn
}

// places are where to ask, by number: where the servers are configured, and where their members are known to be. A
// name may lead to a newcomer while the member itself serves elsewhere.
func (m *Member) places() map[int][]string {
	places := map[int][]string{}
	add := func(number int, address string) {
		if !slices.Contains(places[number], address) {
			places[number] = append(places[number], address)
		}
	}
	for _, s := range m.options.Servers {
		if s.Number != m.options.Number {
			add(s.Number, join(s.Host, s.RollCallPort))
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for peer, number := range m.acquainted {
		if address := m.hallOf(number, peer); address != "" && peer != m.peerAddressLocked() {
			add(number, address)
		}
	}
	return places
}

// hallOf is where a member with an address for other members holds its roll-calls.
func (m *Member) hallOf(number int, peer string) string {
	host, _, err := net.SplitHostPort(peer)
	if err != nil {
		return ""
	}
	for _, s := range m.options.Servers {
		if s.Number == number {
			return join(host, s.RollCallPort)
		}
	}
	return ""
}

// learn takes from an answer who is where, oneself included.
func (m *Member) learn(a answer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.heed(a.Self)
	if a.Known != "" {
		m.name = a.Known
	}
	if m.address == "" && a.local != "" {
		m.address = a.local
		if a.Seen != a.local && a.Known != "" {
			m.address = a.Known // there is a translation of addresses between them, and the name leads here
		}
	}
	if a.Self == nil {
		return
	}
	acquainted := map[string]int{}
	if a.Self.Log != nil && !a.Self.Log.Newborn {
		for _, member := range a.Self.Log.Members {
			acquainted[member.Peer] = member.Number
		}
	}
	if a.Self.Log.Leads() || len(m.acquainted) == 0 {
		m.acquainted = acquainted
	}
	if m.server != nil && a.Self.Log != nil && a.Self.Peer != "" && a.Self.Log.Ensemble == m.id.Ensemble {
		m.redirect(a.Self.Log.Member, a.Self.Peer)
	}
}

// heed notes that somebody leads the own ensemble. m.mu is held.
func (m *Member) heed(other *rollcall.Standing) {
	if m.server != nil && other != nil && other.Log.Leads() && other.Log.Ensemble == m.id.Ensemble {
		m.led = time.Now()
	}
}

// forsaken tells whether nobody leads any more that a member which does not count could learn from. Its engine would
// follow the last leader for ever: it is not one to ask for votes, and so does not look at the time.
func (m *Member) forsaken(server *etcdServer, since time.Time) bool {
	m.mu.Lock()
	led := m.led
	m.mu.Unlock()
	if led.Before(since) {
		led = since
	}
	self := server.Cluster().Member(server.MemberID())
	return self != nil && self.IsLearner && time.Since(led) > unheard
}

// unheard is after what time without a word the leader of a learner counts as gone. It calls ten times a second.
const unheard = time.Second

// redirect sends what is for a member to where it says that it is: it may have moved since it said so to the ensemble.
// m.mu is held.
func (m *Member) redirect(member uint64, peer string) {
	known := m.server.Cluster().Member(types.ID(member))
	if known == nil || len(known.PeerURLs) == 1 && known.PeerURLs[0] == "http://"+peer || m.redirected[member] == peer {
		return
	}
	if m.redirected == nil {
		m.redirected = map[uint64]string{}
	}
	transport, err := transportOf(m.server)
	if err != nil {
		m.logger.Debug("keeper: a member's new address will be known once it has told the ensemble", "error", err)
		return
	}
	m.redirected[member] = peer
	transport.UpdatePeer(types.ID(member), []string{"http://" + peer})
}

// ask puts a question to one address.
func (m *Member) ask(ctx context.Context, address string, q question, within time.Duration) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	q.From = m.standing()
	return ask(ctx, address, q)
}

// standing is what this member says of itself.
func (m *Member) standing() rollcall.Standing {
	s := rollcall.Standing{
		Number: m.options.Number, Run: m.run, Configured: m.configured(),
		Peer: m.peerAddress(), Client: m.own.ClientPort, Leaving: m.leaving.Load(),
	}
	before := m.engaged()
	s.Log = m.held()
	s.Running = m.engaged() || before
	return s
}

// engaged tells whether a server runs on the log, or has not quite ended.
func (m *Member) engaged() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.server != nil || m.settling
}

// held is the log as it is now.
func (m *Member) held() *rollcall.Log {
	m.mu.Lock()
	server, id, resting := m.server, m.id, m.resting
	m.mu.Unlock()
	if server == nil {
		return resting
	}
	l := &rollcall.Log{
		Ensemble: id.Ensemble, Ancestors: id.Ancestors, Newborn: id.Newborn, Member: uint64(server.MemberID()),
		Leader: uint64(server.Leader()), Members: membersOf(server.Cluster().Members()),
		Term: server.Term(), Index: server.CommittedIndex(),
	}
	if resting != nil && !l.Leads() { // the end of the log counts, and who may vote by what is known to be committed
		l.Term, l.Index, l.Members = resting.Term, resting.Index, resting.Members
	}
	return l
}

func (m *Member) setResting(l *rollcall.Log) {
	m.mu.Lock()
	m.resting = l
	m.mu.Unlock()
}

func (m *Member) configured() []int {
	var numbers []int
	for _, s := range m.options.Servers {
		numbers = append(numbers, s.Number)
	}
	slices.Sort(numbers)
	return numbers
}

// peerAddress is where other members reach this one, empty while that is not known.
func (m *Member) peerAddress() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.peerAddressLocked()
}

func (m *Member) peerAddressLocked() string {
	if m.address == "" {
		return ""
	}
	return join(m.address, m.peers.net.Addr().(*net.TCPAddr).Port)
}

// ownAddress is the own host, where that can be told without asking anybody: given, or an address in the list, or a name
// in it that leads here. A name may lead to a Service, behind which is the newest of the number's pods.
func (m *Member) ownAddress() string {
	if m.options.Advertised != "" {
		return m.options.Advertised
	}
	host := m.own.Host
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil && !ip.IsUnspecified() {
		return ip.String()
	}
	if len(m.options.Servers) == 1 {
		return "127.0.0.1"
	}
	if host == "" || net.ParseIP(host) != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	ips, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return ""
	}
	for _, ip := range ips {
		if isLocal(ip.IP) {
			return ip.IP.String()
		}
	}
	return ""
}

// isLocal tells whether the address is one of this machine's.
func isLocal(ip net.IP) bool {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && (n.IP.Equal(ip) || n.IP.IsLoopback() && n.Contains(ip)) {
			return true
		}
	}
	return false
}

// bindHost is the address to listen at for other members: that in the list, if it is an address of this machine's, and
// every address otherwise.
func bindHost(host string) string {
	if ip := net.ParseIP(strings.Trim(host, "[]")); ip != nil && isLocal(ip) {
		return ip.String()
	}
	return ""
}

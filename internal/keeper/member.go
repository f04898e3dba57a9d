package keeper

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.uber.org/zap"

	"barnabas/internal/keeper/rollcall"
)

// Server is one of the configured members.
type Server struct {
	Number int
	// Host is where the roll-call finds it; a member may know itself only as 0.0.0.0.
	Host                   string
	PeerPort, RollCallPort int
	// ClientHost is where it listens for clients, empty for every address.
	ClientHost string
	ClientPort int
}

// MemberOptions are what a Member is made of.
type MemberOptions struct {
	// Number is which of the servers this is.
	Number  int
	Servers []Server
	// Dir is the member's own directory; it is made if it does not exist.
	Dir string
	// Tick is in what time is counted between members, 0 for DefaultTick. A heartbeat comes every two, and an election takes
	// six to twelve of them.
	Tick time.Duration
	// Quota bounds the metadata on the disk in bytes, 0 for DefaultQuota.
	Quota int64
	// Advertised is the host under which the other members reach this one, empty to find it out.
	Advertised string
	// ZooKeeper is how its protocol is spoken.
	ZooKeeper ZooKeeper
	Logger    *slog.Logger
	// Tell, if not nil, takes what those ought to know who look after the cluster; it must not block.
	Tell func(Tiding)
}

// DefaultTick is half of the time between two heartbeats.
const DefaultTick = 100 * time.Millisecond

// ensembleElectionTicks is after how many ticks without a heartbeat a new leader is elected, once to twice.
const ensembleElectionTicks = 6

// Member is a member of an ensemble in this process: its ports, its directory, and the etcd server that runs while the
// ensemble lives. One goroutine decides what becomes of it (life.go).
type Member struct {
	options   MemberOptions
	own       Server
	run       string
	logger    *slog.Logger
	zap       *zap.Logger
	directory directory
	lock      *os.File
	clients   *listener
	peers     *peerListener
	hall      *hall

	cancel  context.CancelFunc
	done    chan struct{}
	wake    chan struct{} // one place: somebody called, or there is a charter
	charter chan founding
	leaving atomic.Bool
	// status is what Ready says.
	status atomic.Pointer[status]
	fatal  atomic.Pointer[error]
	// admitting is held while the ensemble takes one member's place.
	admitting sync.Mutex
	// admitted is the newcomer that was admitted last. Guarded by admitting.
	admitted struct {
		id uint64
		at time.Time
	}
	// dismissing is held while the leader looks after numbers that count twice. lastDismissal is the goroutine's, and
	// silentSince, when those were found silent that do not answer, is guarded by dismissing.
	dismissing    sync.Mutex
	lastDismissal time.Time
	silentSince   map[uint64]time.Time

	lastCall   time.Time     // the goroutine's
	dead       atomic.Uint64 // the leader whose process was found to be gone, 0 for none
	calling    sync.Mutex    // held while the others are called on
	background sync.WaitGroup
	ends       []time.Time // when the server ended by itself; the goroutine's
	came       coming      // what is still to be told when it serves; the goroutine's
	leaderless time.Time   // since when it is told that nobody leads, zero if it is not; the goroutine's

	mu       sync.Mutex
	server   *etcdserver.EtcdServer // guarded by mu; nil while the ensemble is not there
	id       *identity              // guarded by mu; whose the server is
	resting  *rollcall.Log          // guarded by mu; what the directory holds while no server runs, or none leads
	settling bool                   // guarded by mu; the server is ending, and resting is not yet what it will have left
	led      time.Time              // guarded by mu; when another member last said that it leads this ensemble
	address  string                 // guarded by mu; the own host for the others, empty while unknown
	name     string                 // guarded by mu; the own host as the others' configuration names it, empty while unknown
	newcomer time.Time              // guarded by mu; when one with this number last called that holds nothing
	// acquainted are the members that were heard of, their numbers by their addresses. Guarded by mu.
	acquainted map[string]int
	redirected map[uint64]string    // guarded by mu; where members are that the ensemble knows elsewhere
	findings   map[int]finding      // guarded by mu; who answered at the configured addresses, by number
	lastSaid   map[string]time.Time // the goroutine's
	closeOnce  sync.Once
	maintains  maintenance
	pace       *pace // of the server that runs, nil where etcd has its own; the goroutine's
}

// status is what became of the last decision.
type status struct {
	ready bool
	why   string
}

// founding is a charter that another member sent, and where to say what became of it.
type founding struct {
	charter charter
	result  chan error
}

// StartMember binds the ports and begins to call the roll; what comes of it, Ready says.
func StartMember(options MemberOptions) (*Member, error) {
	if options.Tick == 0 {
		options.Tick = DefaultTick
	}
	if options.Quota == 0 {
		options.Quota = DefaultQuota
	}
	m := &Member{
		options: options, logger: options.Logger, zap: zapLogger(options.Logger),
		done: make(chan struct{}), wake: make(chan struct{}, 1), charter: make(chan founding),
	}
	var random [8]byte
	_, _ = rand.Read(random[:])
	m.maintains = maintenance{quota: options.Quota, logger: options.Logger}
	m.run = hex.EncodeToString(random[:])
	m.directory = directory{options.Dir, m.zap}
	m.setStatus(false, "calling the roll")
	if err := m.open(); err != nil {
		m.close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	m.clients.zookeeper = m.options.ZooKeeper
	m.clients.serve(m.logger)
	m.peers.serve()
	m.hall.serve()
	go func() {
		defer close(m.done)
		m.live(ctx)
	}()
	return m, nil
}

// open takes the directory and the ports.
func (m *Member) open() error {
	found := false
	for _, s := range m.options.Servers {
		if s.Number == m.options.Number {
			m.own, found = s, true
		}
	}
	if !found {
		return fmt.Errorf("keeper: server.%d is not among the servers", m.options.Number)
	}
	if err := os.MkdirAll(m.options.Dir, 0o700); err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	var err error
	if m.lock, err = lockDir(m.options.Dir); err != nil {
		return err
	}
	if err := m.checkDirectory(); err != nil {
		return err
	}
	if m.resting, err = m.directory.readLog(); err != nil {
		return err
	}
	if m.resting != nil {
		m.acquainted = map[string]int{}
		for _, member := range m.resting.Members {
			m.acquainted[member.Peer] = member.Number
		}
	}
	bind := bindHost(m.own.Host)
	if m.clients, err = listen(join(m.own.ClientHost, m.own.ClientPort)); err != nil {
		return err
	}
	if m.peers, err = listenPeers(join(bind, m.own.PeerPort), m.logger); err != nil {
		return err
	}
	if m.hall, err = openHall(join(bind, m.own.RollCallPort), m.answer); err != nil {
		return err
	}
	m.address = m.ownAddress()
	return nil
}

// checkDirectory refuses what is not a member's directory, or that of another one.
func (m *Member) checkDirectory() error {
	id, err := m.directory.identity()
	if err != nil {
		return err
	}
	if id != nil && id.Number != m.options.Number {
		return fmt.Errorf("keeper: %s is the directory of keeper %d, and this is keeper %d: "+
			"give each keeper a directory of its own; nothing was changed", m.options.Dir, id.Number, m.options.Number)
	}
	entries, err := os.ReadDir(m.options.Dir)
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	for _, e := range entries {
		if e.Name() == "version-2" {
			return fmt.Errorf("keeper: %s is the directory of a real ZooKeeper (it has version-2): "+
				"give the keeper an empty one; nothing was changed", m.options.Dir)
		}
	}
	if _, err := os.Stat(filepath.Join(m.options.Dir, "member")); id == nil && err == nil {
		return fmt.Errorf("keeper: %s is the directory of an etcd, or of a keeper that was alone: "+
			"give the keeper an empty one; nothing was changed", m.options.Dir)
	}
	return nil
}

// Number is which of the servers this is.
func (m *Member) Number() int { return m.options.Number }

// Ready tells whether clients are served here; the error says what is waited for. A newcomer that waits for the one
// whose place it is to take counts as ready: it is that one's turn.
func (m *Member) Ready() error {
	if s := m.status.Load(); !s.ready {
		return errors.New(s.why)
	}
	return nil
}

// Done is closed when the member has ended, be it by Stop or because it can't go on; Err says why then.
func (m *Member) Done() <-chan struct{} { return m.done }

// Err is why the member ended by itself, nil if it did not.
func (m *Member) Err() error {
	if err := m.fatal.Load(); err != nil {
		return *err
	}
	return nil
}

// say says something that may go on for long, now and then. For the goroutine that decides.
func (m *Member) say(what string, args ...any) {
	if time.Since(m.lastSaid[what]) < sayEvery {
		return
	}
	if m.lastSaid == nil {
		m.lastSaid = map[string]time.Time{}
	}
	m.lastSaid[what] = time.Now()
	m.logger.Warn(what, args...)
}

func (m *Member) setStatus(ready bool, why string) {
	m.status.Store(&status{ready, why})
}

// close lets go of the ports and the directory.
func (m *Member) close() {
	m.closeOnce.Do(func() {
		if m.hall != nil {
			m.hall.stop()
		}
		if m.clients != nil {
			m.clients.stop()
		}
		if err := m.stopServer(); err != nil {
			m.logger.Warn("keeper: what it leaves can't be read", "error", err)
		}
		if m.peers != nil {
			m.peers.stop()
		}
		m.background.Wait()
		if m.lock != nil {
			m.lock.Close()
		}
	})
}

// startServer runs etcd on the directory as it is.
func (m *Member) startServer() error {
	id, err := m.directory.identity()
	if err != nil {
		return err
	}
	if id == nil {
		return errors.New("keeper: there is nothing to start with")
	}
	address := m.peerAddress()
	host, _, _ := net.SplitHostPort(address)
	cfg := memberConfig(memberSettings{
		dir: m.directory.ensemble(), name: nameOf(m.options.Number),
		peer: address, client: join(host, m.own.ClientPort),
		tick: m.options.Tick, electionTicks: ensembleElectionTicks, quota: m.options.Quota,
	}, m.zap)
	server, err := newServer(cfg)
	if err != nil {
		return err
	}
	if m.pace, err = paced(server, m.options.Tick); err != nil {
		m.logger.Debug("keeper: it idles with a heartbeat for each tick", "error", err)
	}
	m.peers.attach(server, m.zap)
	server.Start()
	m.mu.Lock()
	m.server, m.id = server, id
	m.mu.Unlock()
	return nil
}

// stopServer ends etcd, and with it what clients do here. What the member says that it holds is never less than it does
// hold; where the log ends exactly is known, and nothing runs any more, once it has been read.
func (m *Member) stopServer() error {
	held := m.held()
	m.mu.Lock()
	server := m.server
	if server != nil {
		at := *held
		at.Leader = 0
		m.server, m.resting, m.settling = nil, &at, true
	}
	m.mu.Unlock()
	if m.clients != nil {
		m.clients.detach()
	}
	if server == nil {
		return nil
	}
	if err := m.handOn(context.Background(), server); err != nil {
		m.logger.Info("keeper: the leadership was not handed on", "keeper", m.options.Number, "why", err)
	}
	server.HardStop()
	if m.pace != nil {
		m.pace.stop()
		m.pace = nil
	}
	m.peers.detach()
	held, err := m.directory.readLog()
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.resting, m.settling = held, false
	m.mu.Unlock()
	return nil
}

func (m *Member) running() *etcdserver.EtcdServer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.server
}

// peerListener serves the other members: with the server of the moment, or not at all.
type peerListener struct {
	net     net.Listener
	http    http.Server
	handler atomic.Pointer[http.Handler]
	done    chan struct{}
}

func listenPeers(address string, logger *slog.Logger) (*peerListener, error) {
	l, err := listenTCP(address, "other keepers")
	if err != nil {
		return nil, err
	}
	p := &peerListener{net: l, done: make(chan struct{})}
	p.http.Handler = p
	p.http.ReadHeaderTimeout = helloWithin
	p.http.ErrorLog = slog.NewLogLogger(logger.Handler(), slog.LevelDebug)
	return p, nil
}

func (p *peerListener) serve() {
	go func() {
		defer close(p.done)
		_ = p.http.Serve(p.net)
	}()
}

// ServeHTTP implements http.Handler.
func (p *peerListener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h := p.handler.Load(); h != nil {
		(*h).ServeHTTP(w, r)
		return
	}
	http.Error(w, "the ensemble is not there yet", http.StatusServiceUnavailable)
}

func (p *peerListener) attach(server *etcdserver.EtcdServer, logger *zap.Logger) {
	h := newPeerHandler(logger, server)
	p.handler.Store(&h)
}

func (p *peerListener) detach() { p.handler.Store(nil) }

func (p *peerListener) stop() {
	p.detach()
	p.net.Close()
	p.http.Close()
}

func join(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

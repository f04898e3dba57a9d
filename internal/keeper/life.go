package keeper

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"barnabas/internal/keeper/rollcall"
	"barnabas/internal/unison"
)

const (
	// roundEvery is the pause between roll-calls while the ensemble is not there, and slowRound that of one
	// that has waited for long.
	roundEvery = 50 * time.Millisecond
	slowRound  = 500 * time.Millisecond
	hasWaited  = 10 * time.Second
	// sayEvery is how often the log says for whom a member waits.
	sayEvery = 5 * time.Second
	// watchEvery is how often a running member looks after the ensemble while something is under way, calmEvery how
	// often it does otherwise, and restEvery where it need not even call on anybody: of another leader it hears at once.
	watchEvery = 20 * time.Millisecond
	calmEvery  = 100 * time.Millisecond
	restEvery  = 500 * time.Millisecond
	// leaderless is for how long a running member hopes for an election, in election timeouts, before it calls the roll.
	leaderless = 4
)

// errRemoved says that the ensemble has taken the member out while it was told to stop.
var errRemoved = errors.New("the place is taken over")

// live is the member's life: the roll-call until there is an ensemble, the ensemble for as long as it lasts, and over
// again. It returns when the member is told to stop or can't go on.
func (m *Member) live(ctx context.Context) {
	defer m.close()
	for ctx.Err() == nil {
		if err := m.come(ctx); err != nil {
			m.fail(ctx, err)
			return
		}
		if err := m.serve(ctx); err != nil {
			m.fail(ctx, err)
			return
		}
	}
}

func (m *Member) fail(ctx context.Context, err error) {
	if ctx.Err() != nil || errors.Is(err, errRemoved) {
		return
	}
	m.setStatus(false, err.Error())
	m.fatal.Store(&err)
	m.logger.Error("keeper: it can't go on", "keeper", m.options.Number, "error", err)
	m.tell(true, "KeeperFailed", "keeper %d can't go on: %s", m.options.Number, tersely(err))
}

// come calls the roll until the etcd server runs.
func (m *Member) come(ctx context.Context) error {
	began, said, last := time.Now(), time.Now(), ""
	for ctx.Err() == nil {
		d := m.round(ctx)
		if ctx.Err() != nil {
			return nil
		}
		started, why, err := m.carryOut(ctx, d)
		if err != nil || started {
			return err
		}
		if since := time.Since(said); since > sayEvery || why != last && since > silentAtFirst {
			m.logger.Info("keeper: waiting", "keeper", m.options.Number, "for", why)
			said, last = time.Now(), why
		}
		every := roundEvery
		if m.Ready() == nil {
			every = successorRound
		}
		if time.Since(began) > hasWaited {
			every = slowRound
		}
		started, err = m.rest(ctx, every)
		if err != nil || started {
			return err
		}
	}
	return nil
}

const (
	// silentAtFirst is how long nothing is said: members start one after another.
	silentAtFirst = time.Second
	// successorRound is how often one asks whose turn has not come.
	successorRound = 200 * time.Millisecond
)

// rest waits for the next round, for a call, or for a charter.
func (m *Member) rest(ctx context.Context, every time.Duration) (started bool, err error) {
	timer := time.NewTimer(every)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-m.wake:
	case f := <-m.charter:
		err := m.foundBy(f.charter)
		f.result <- err
		if err != nil {
			m.logger.Warn("keeper: a charter was refused", "keeper", m.options.Number, "why", err)
			return false, nil
		}
		return true, m.begin("founded with the others")
	}
	return false, nil
}

// carryOut does what was decided. It tells whether the server runs now, or what is waited for.
func (m *Member) carryOut(ctx context.Context, d decision) (started bool, why string, err error) {
	switch d.Do {
	case rollcall.Wait, rollcall.Rest:
		m.setStatus(false, "waiting for "+d.Why)
		return false, d.Why, nil
	case rollcall.Refuse:
		return false, "", fmt.Errorf("keeper: %s: %s; empty the directory if it is not missed, or point the keeper at its own ensemble; nothing was changed",
			m.directory.path, d.Why)
	case rollcall.Found:
		if err := m.found(ctx, d); err != nil {
			return false, err.Error(), nil
		}
		m.came = founded
		return true, "", m.begin("founded: " + d.Why)
	case rollcall.Start:
		return true, "", m.begin(d.Why)
	case rollcall.Discard:
		m.logger.Warn("keeper: the log is put aside", "keeper", m.options.Number, "why", d.Why, "to", oldDir)
		if err := m.directory.putAside(); err != nil {
			return false, "", err
		}
		m.setResting(nil)
		m.came = rejoined
		if d.Via == 0 {
			return false, d.Why, nil
		}
		fallthrough
	case rollcall.Join:
		return m.joinBy(ctx, d)
	case rollcall.Recover:
		if err := m.recover(ctx, d); err != nil {
			return false, "", err
		}
		m.came = recovered
		return true, "", m.begin("recovered: " + d.Why)
	}
	return false, "", nil
}

// begin runs the engine on the directory. Until there is a leader the member says what it held at rest.
func (m *Member) begin(why string) error {
	held, err := m.directory.readLog()
	if err != nil {
		return err
	}
	m.setResting(held)
	if err := m.startServer(); err != nil {
		return err
	}
	m.logger.Info("keeper: started", "keeper", m.options.Number, "why", why, "address", m.peerAddress())
	m.setStatus(false, "the ensemble elects a leader")
	return nil
}

// found founds the ensemble, and calls on the others to do the same.
func (m *Member) found(ctx context.Context, d decision) error {
	c := charter{Ensemble: newEnsemble(), Revision: revisionAt(time.Now(), 0), Newborn: len(m.options.Servers) > 1}
	for _, n := range m.configured() {
		member := rollcall.Member{Number: n, Peer: m.peerAddress()}
		if n != m.options.Number {
			member.Peer = d.hall.Heard[n].Peer
		}
		if member.Peer == "" {
			return fmt.Errorf("keeper %d to learn its own address", n)
		}
		c.Members = append(c.Members, member)
	}
	if err := m.directory.found(c, m.options.Number, ""); err != nil {
		return err
	}
	type refusal struct {
		number int
		err    error
	}
	refused := make(chan refusal, len(c.Members))
	for _, member := range c.Members {
		go func() {
			var err error
			if member.Number != m.options.Number {
				_, err = m.ask(ctx, d.addresses[member.Number], question{Number: member.Number, Charter: &c}, orderWithin)
			}
			refused <- refusal{member.Number, err}
		}()
	}
	for range c.Members {
		if r := <-refused; r.err != nil {
			m.logger.Warn("keeper: a founder is missing, and will join later", "keeper", r.number, "why", r.err)
		}
	}
	return nil
}

// foundBy founds the ensemble as another member's charter has it.
func (m *Member) foundBy(c charter) error {
	if m.running() != nil || m.held() != nil {
		return errors.New("it holds a log")
	}
	m.mu.Lock()
	known := len(m.acquainted)
	m.mu.Unlock()
	if known > 0 {
		return errors.New("it has heard of an ensemble that lives")
	}
	if !slices.ContainsFunc(c.Members, func(f rollcall.Member) bool {
		return f.Number == m.options.Number && f.Peer == m.peerAddress()
	}) {
		return fmt.Errorf("the charter has not keeper %d at %s", m.options.Number, m.peerAddress())
	}
	return m.directory.found(c, m.options.Number, "")
}

// joinBy asks the leader to be admitted, and joins.
func (m *Member) joinBy(ctx context.Context, d decision) (started bool, why string, err error) {
	a, err := m.ask(ctx, d.addresses[d.Via], question{Number: d.Via, Admit: true}, orderWithin)
	switch {
	case errors.Is(err, errRefused):
		if a.Successor || m.Ready() != nil {
			m.setStatus(a.Successor, a.Refused)
		}
		return false, a.Refused, nil
	case err != nil:
		return false, fmt.Sprintf("keeper %d, which leads (%s)", d.Via, brief(err)), nil
	case a.Admission == nil:
		return false, fmt.Sprintf("keeper %d to admit this one", d.Via), nil
	}
	if err := m.directory.join(*a.Admission, m.options.Number); err != nil {
		return false, "", err
	}
	switch {
	case m.came == rejoined:
	case a.Successor:
		m.came = succeeded
	default:
		m.came = joined
	}
	return true, "", m.begin(d.Why + ", and it admits this one")
}

// recover makes an ensemble of what is here.
func (m *Member) recover(ctx context.Context, d decision) error {
	self := rollcall.Member{Number: m.options.Number, Peer: m.peerAddress()}
	if self.Peer == "" {
		self.Peer = join("127.0.0.1", m.own.PeerPort) // nobody else is configured
	}
	m.logger.Warn("keeper: the ensemble is recovered from this log", "keeper", m.options.Number, "why", d.Why,
		"term", d.hall.Self.Log.Term, "index", d.hall.Self.Log.Index)
	return m.directory.recover(ctx, d.hall.Self.Log, self, newEnsemble(), time.Now())
}

func newEnsemble() string {
	var random [16]byte
	_, _ = rand.Read(random[:])
	return hex.EncodeToString(random[:])
}

// serve looks after the running server until it has ended, or has to end.
func (m *Member) serve(ctx context.Context) (err error) {
	server := m.running()
	if server == nil {
		return nil
	}
	defer func() {
		if unread := m.stopServer(); err == nil {
			err = unread // and it had better be silent than say that it is empty
		}
	}()
	feeling, stop := context.WithCancel(ctx)
	defer stop()
	m.background.Go(func() { m.feel(feeling, server) })
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	attached, began, led := false, time.Now(), time.Now()
	m.maintains.mapped = 0
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-server.StopNotify():
			return m.ended(server)
		case f := <-m.charter:
			f.result <- errors.New("it is in an ensemble")
			continue
		case <-m.wake:
		case <-server.LeaderChangedNotify():
		case <-tick.C:
		}
		if server.Leader() == 0 || m.forsaken(server, began) {
			tick.Reset(watchEvery)
			if lost := time.Since(led); lost < m.hopeFor() {
				m.setStatus(attached && lost < calmEvery, "the ensemble has no leader")
				continue
			}
			if again := m.reconsider(ctx, server); again {
				return nil
			}
			continue
		}
		m.setResting(nil)
		led = time.Now()
		m.tellLed()
		calls := m.call(ctx, server)
		m.hurry(ctx, server)
		if over := m.grow(ctx, began); over {
			return nil
		}
		attached = m.settleIn(ctx, server, attached)
		switch waiting, twice := m.usher(ctx, server); {
		case waiting || !attached:
			tick.Reset(watchEvery)
		case twice || calls:
			tick.Reset(calmEvery)
		default:
			tick.Reset(unison.Wait(time.Now(), restEvery))
		}
		if attached { // before that, it is sent a snapshot that etcd puts in the place of what would be looked at
			m.maintains.look(ctx, server)
		}
	}
	return nil
}

// hopeFor is how long an election may take.
func (m *Member) hopeFor() time.Duration {
	return max(leaderless*ensembleElectionTicks*m.options.Tick, time.Second)
}

// serveProbe bounds the read by which a member tells that it serves.
const serveProbe = 300 * time.Millisecond

// settleIn opens the clients' port once the member is a full one and serves.
func (m *Member) settleIn(ctx context.Context, server *etcdServer, attached bool) bool {
	switch self := server.Cluster().Member(server.MemberID()); {
	case self == nil:
		m.setStatus(false, "the ensemble has taken it out")
		return attached
	case self.IsLearner:
		m.setStatus(false, "it copies what the ensemble holds")
		return attached
	}
	if !attached && m.newborn() {
		m.setStatus(false, "the ensemble is newborn: it listens whether there is one already")
		return false
	}
	if !attached {
		// etcd's own word for it would wait for a proposal that may get lost on the way, for five seconds each time.
		within, cancel := context.WithTimeout(ctx, serveProbe)
		err := server.LinearizableReadNotify(within)
		cancel()
		if err != nil {
			m.setStatus(false, "the ensemble elects a leader")
			return false
		}
		m.clients.attach(server)
		m.tellServing(server)
		m.logger.Info("keeper: serves", "keeper", m.options.Number, "leader", server.Leader() == server.MemberID(), "members", len(server.Cluster().Members()))
	}
	m.setStatus(true, "")
	return true
}

// newbornFor is how long an ensemble that was just founded listens before it lets clients in.
const newbornFor = 600 * time.Millisecond

func (m *Member) newborn() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id != nil && m.id.Newborn
}

// grow lets an ensemble that was just founded come of age, unless there turns out to be one already. True when it is
// over with this one.
func (m *Member) grow(ctx context.Context, began time.Time) (over bool) {
	if !m.newborn() {
		return false
	}
	if d := m.round(ctx); d.Do == rollcall.Discard {
		m.logger.Warn("keeper: it was founded by mistake", "keeper", m.options.Number, "why", d.Why)
		return true
	}
	if time.Since(began) < newbornFor {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.directory.grownUp(*m.id); err != nil {
		m.say("keeper: its directory can't be written", "error", err)
		return false
	}
	grown := *m.id
	grown.Newborn = false
	m.id = &grown
	return false
}

// reconsider calls the roll while the server runs and nobody leads. True when the server has to end for what comes.
func (m *Member) reconsider(ctx context.Context, server *etcdServer) bool {
	if t, err := m.directory.readTail(); err == nil { // the server has the rest open
		held := *m.held()
		held.Term, held.Index, held.Members = t.term, t.index, membersOf(server.Cluster().Members())
		m.setResting(&held)
	}
	d := m.round(ctx)
	m.tellLeaderless(d.Why)
	switch d.Do {
	case rollcall.Rest, rollcall.Recover, rollcall.Discard, rollcall.Join, rollcall.Refuse:
		m.logger.Warn("keeper: it leaves the ensemble as it was", "keeper", m.options.Number, "why", d.Why)
		return true
	}
	m.setStatus(false, "no quorum: waiting for "+d.Why)
	m.say("keeper: there is no leader", "keeper", m.options.Number, "waiting for", d.Why)
	pause(ctx, roundEvery)
	return false
}

// A server that ends by itself maxEnds times within endsWithin does so for a reason that the roll-call can't mend.
const (
	maxEnds    = 5
	endsWithin = time.Minute
)

// ended is what follows when the server ends by itself: the ensemble has taken the member out, and the roll-call tells
// what then; or the disk is broken.
func (m *Member) ended(server *etcdServer) error {
	if m.leaving.Load() {
		return errRemoved
	}
	m.ends = append(m.ends, time.Now())
	m.ends = slices.DeleteFunc(m.ends, func(at time.Time) bool { return time.Since(at) > endsWithin })
	if len(m.ends) >= maxEnds {
		return errors.New("keeper: the engine has stopped by itself, again and again")
	}
	m.logger.Warn("keeper: the ensemble has no place for this member as it was", "keeper", m.options.Number, "member", idOf(uint64(server.MemberID())))
	return nil
}

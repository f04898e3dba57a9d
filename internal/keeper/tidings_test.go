package keeper

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	etcderrors "go.etcd.io/etcd/server/v3/etcdserver/errors"

	"barnabas/test/launch"
	"barnabas/test/loopback"
)

// told is what all members of a test have told.
type told struct {
	t    *testing.T
	mu   sync.Mutex
	list []string // guarded by mu: number, reason
}

func (o *told) of(number int) func(Tiding) {
	return func(t Tiding) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.list = append(o.list, fmt.Sprint(number, " ", t.Reason))
		if t.Message == "" || t.Grave != slices.Contains([]string{"EnsembleRecovered", "QuorumLost", "KeeperRejoined", "KeeperFailed"}, t.Reason) {
			o.t.Errorf("keeper %d tells %+v", number, t)
		}
	}
}

func (o *told) count(what string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	count := 0
	for _, one := range o.list {
		if one == what {
			count++
		}
	}
	return count
}

// await waits until something has been told so often.
func (o *told) await(what string, times int) {
	o.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(memberPatience); o.count(what) < times; <-tick.C {
		if time.Now().After(end) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.t.Fatalf("%s was not told %d times: %s", what, times, strings.Join(o.list, ", "))
		}
	}
}

// serversAt are so many members with addresses of their own.
func serversAt(t *testing.T, count int) []Server {
	t.Helper()
	var servers []Server
	for n := 1; n <= count; n++ {
		s := Server{Number: n}
		for _, port := range []*int{&s.PeerPort, &s.RollCallPort, &s.ClientPort} {
			address := loopback.Free(t)
			host, number, _ := net.SplitHostPort(address)
			s.Host, s.ClientHost = host, host
			*port, _ = strconv.Atoi(number)
		}
		servers = append(servers, s)
	}
	return servers
}

// beside is another address of this machine, as another pod has one: loopback.Address gives none with such a last byte.
func beside(host string) string {
	at := netip.MustParseAddr(host).As4()
	at[3] |= 0x80
	if at[3] == 0x80 {
		at[3] = 0xff // that of 128
	}
	return netip.AddrFrom4(at).String()
}

// start starts a member of three.
func (o *told) start(number int, servers []Server, dir string) *Member {
	o.t.Helper()
	m, err := StartMember(MemberOptions{
		Number: number, Servers: servers, Dir: dir, Logger: launch.Log(o.t), Tell: o.of(number),
	})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() { stopMember(m) })
	return m
}

// halt ends a member at once, with nobody in its place.
func halt(m *Member) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m.Stop(ctx)
}

// What becomes of an ensemble is told once, by whom it befalls: its birth, a keeper that comes back empty, one that is
// succeeded, a quorum that is lost, and an ensemble that is recovered from what is left.
func TestTidings(t *testing.T) {
	t.Parallel()
	o, servers := &told{t: t}, serversAt(t, 3)
	members := map[int]*Member{}
	for n := 1; n <= 3; n++ {
		members[n] = o.start(n, servers, t.TempDir())
	}
	o.await("1 EnsembleBorn", 1)
	o.await("2 KeeperUp", 1)
	o.await("3 KeeperUp", 1)

	halt(members[3])
	members[3] = o.start(3, servers, t.TempDir())
	o.await("3 KeeperReturnedEmpty", 1)

	// Another process with the number of one that serves, elsewhere: it takes over when that one is told to stop.
	elsewhere := slices.Clone(servers)
	elsewhere[1].Host = beside(elsewhere[1].Host)
	elsewhere[1].ClientHost = elsewhere[1].Host
	heir := o.start(2, elsewhere, t.TempDir())
	awaitReady(t, heir) // it waits for its turn
	stopMember(members[2])
	members[2] = heir
	o.await("2 KeeperSucceeded", 1)
	o.await("2 KeeperTookOver", 1)
	awaitThat(t, "the one before it to be taken out", func() bool {
		server := heir.running()
		return server != nil && len(server.Cluster().Members()) == len(servers)
	})

	halt(members[1])
	halt(members[3])
	o.await("2 QuorumLost", 1)
	for _, n := range []int{1, 3} {
		members[n] = o.start(n, elsewhere, t.TempDir())
	}
	o.await("2 EnsembleRecovered", 1)
	o.await("2 QuorumBack", 1)
	o.await("1 KeeperReturnedEmpty", 1)
	o.await("3 KeeperReturnedEmpty", 2)
	for what, times := range map[string]int{"1 EnsembleBorn": 1, "2 EnsembleRecovered": 1, "2 KeeperSucceeded": 1, "2 KeeperReturnedEmpty": 0} {
		if got := o.count(what); got != times {
			t.Errorf("%s was told %d times, want %d", what, got, times)
		}
	}
}

// A keeper alone has no quorum to lose.
func TestTidingsAlone(t *testing.T) {
	t.Parallel()
	o, dir := &told{t: t}, t.TempDir()
	stopMember(aloneTelling(t, dir, o.of(1)))
	o.await("1 EnsembleBorn", 1)
	aloneTelling(t, dir, o.of(1))
	o.await("1 KeeperUp", 1)
}

// A member that ends with its successor in its place tells so, also where the ensemble does not take it out in time: the leader
// does so then, and tells nothing.
func TestTidingsOfLeaving(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, etcderrors.ErrStopped, etcderrors.ErrTimeout, context.DeadlineExceeded} {
		o := &told{t: t}
		m := &Member{options: MemberOptions{Number: 2, Tell: o.of(2)}, logger: slog.New(slog.DiscardHandler)}
		m.tellLeft(err)
		if got := o.count("2 KeeperSucceeded"); got != 1 {
			t.Errorf("after %v it was told %d times", err, got)
		}
	}
}

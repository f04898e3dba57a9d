package keeper

import (
	"net"
	"testing"
	"time"

	"barnabas/internal/keeper/rollcall"
)

// Members that are configured by their very addresses stop calling on each other's, and begin again when one goes.
func TestCallsEndWhereAddressesAreTheMembersOwn(t *testing.T) {
	members := three(t)
	own := func(of *Member, n int) bool {
		server := of.running()
		return server != nil && of.leadsToMember(server, of.options.Servers[n-1])
	}
	for _, m := range members {
		for n := 1; n <= 3; n++ {
			if n != m.Number() {
				awaitThat(t, "an address to be known for its member's own", func() bool { return own(m, n) })
			}
		}
	}
	stopMember(members[2])
	for _, m := range members[:2] {
		awaitThat(t, "the address of one that has stopped to be called again", func() bool { return !own(m, 3) })
	}
}

// Only an answer of the very address that is configured tells that it leads to nobody else: not that of a name, nor
// what comes through a Service.
func TestWhoIsFoundAtAnAddress(t *testing.T) {
	log := &rollcall.Log{Member: 7}
	for what, c := range map[string]struct {
		host  string
		a     answer
		found bool
	}{
		"itself":                 {"127.0.0.2", answer{Here: "127.0.0.2", Self: &rollcall.Standing{Number: 2, Log: log}}, true},
		"itself, in version 6":   {"[::1]", answer{Here: "::1", Self: &rollcall.Standing{Number: 2, Log: log}}, true},
		"through a Service":      {"127.0.0.2", answer{Here: "127.0.0.3", Self: &rollcall.Standing{Number: 2, Log: log}}, false},
		"an older release":       {"127.0.0.2", answer{Self: &rollcall.Standing{Number: 2, Log: log}}, false},
		"a name":                 {"keeper-2", answer{Here: "127.0.0.2", Self: &rollcall.Standing{Number: 2, Log: log}}, false},
		"every address":          {"0.0.0.0", answer{Here: "0.0.0.0", Self: &rollcall.Standing{Number: 2, Log: log}}, false},
		"another number":         {"127.0.0.2", answer{Here: "127.0.0.2", Self: &rollcall.Standing{Number: 3, Log: log}}, false},
		"one that holds nothing": {"127.0.0.2", answer{Here: "127.0.0.2", Self: &rollcall.Standing{Number: 2}}, false},
		"nobody":                 {"127.0.0.2", answer{}, false},
	} {
		m := &Member{findings: map[int]finding{2: {member: 9, at: time.Now()}}}
		m.notice(Server{Number: 2, Host: c.host}, c.a)
		if f, found := m.findings[2]; found != c.found || found && f.member != 7 {
			t.Errorf("%s: found %v, %+v", what, found, f)
		}
	}
}

// Who answers says which address it has itself.
func TestAnswersSayWhere(t *testing.T) {
	m := alone(t, t.TempDir())
	port := m.hall.net.Addr().(*net.TCPAddr).Port
	a, err := m.ask(t.Context(), join("127.0.0.1", port), question{Number: 1}, askWithin)
	if err != nil || a.Here != "127.0.0.1" {
		t.Errorf("it says %q, error %v", a.Here, err)
	}
}

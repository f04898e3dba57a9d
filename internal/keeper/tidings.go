package keeper

import (
	"fmt"
	"strings"
	"time"
)

// Tiding is something that those ought to know who look after the cluster. In a pod it becomes a Kubernetes Event.
type Tiding struct {
	// Grave is a warning.
	Grave bool
	// Reason is one word: EnsembleBorn, EnsembleRecovered, KeeperUp, KeeperReturnedEmpty, KeeperTookOver, KeeperRejoined,
	// KeeperSucceeded, QuorumLost, QuorumBack or KeeperFailed.
	Reason, Message string
}

// coming is how a member came into its ensemble. What it tells of that it tells when it serves: what was begun before
// may have come to nothing.
type coming int

const (
	again     coming = iota // it was in it, or another member founded it
	founded                 // it has founded it for all
	joined                  // it came with an empty directory
	succeeded               // likewise, while the one before it was still there
	rejoined                // its own log was put aside
	recovered               // it has made it anew of its log
)

func (m *Member) tell(grave bool, reason, format string, args ...any) {
	if m.options.Tell != nil {
		m.options.Tell(Tiding{grave, reason, fmt.Sprintf(format, args...)})
	}
}

// tellServing tells that clients are served here, and how it came to that. For the goroutine that decides.
func (m *Member) tellServing(server *etcdServer) {
	n, members := m.options.Number, len(server.Cluster().Members())
	switch m.came {
	case founded:
		m.tell(false, "EnsembleBorn", "all %d keepers were empty, and have founded an ensemble; keeper %d tells it for all", members, n)
	case joined:
		m.tell(false, "KeeperReturnedEmpty", "keeper %d came with an empty directory, has copied the metadata, and counts among %d keepers", n, members)
	case succeeded:
		m.tell(false, "KeeperTookOver", "keeper %d has copied the metadata and takes the place of the one before it", n)
	case rejoined:
		m.tell(true, "KeeperRejoined", "the ensemble had gone on without the log of keeper %d, which is put aside in %s; it has copied the metadata", n, oldDir)
	case recovered:
		m.tell(true, "EnsembleRecovered", "there was no quorum any more, and of the logs that were left that of keeper %d was the furthest: the ensemble is made anew of it", n)
	default:
		m.tell(false, "KeeperUp", "keeper %d serves, one of %d", n, members)
	}
	m.came = again
}

// tellLeaderless tells once that nobody leads the ensemble.
func (m *Member) tellLeaderless(why string) {
	if m.leaderless.IsZero() && !m.leaving.Load() && len(m.options.Servers) > 1 {
		m.leaderless = time.Now()
		m.tell(true, "QuorumLost", "keeper %d has no leader, and the metadata can't be changed: it waits for %s", m.options.Number, why)
	}
}

// tellLed tells that somebody leads again, if it was said that nobody did.
func (m *Member) tellLed() {
	if !m.leaderless.IsZero() {
		m.tell(false, "QuorumBack", "keeper %d has a leader again, after %s", m.options.Number, time.Since(m.leaderless).Round(time.Second))
		m.leaderless = time.Time{}
	}
}

// tersely is a reason without what is for the log alone.
func tersely(err error) string { return strings.TrimPrefix(err.Error(), "keeper: ") }

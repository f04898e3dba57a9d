package server

import (
	"errors"
	"net/netip"
	"sync"
	"time"
)

// mistakes remembers whose mistakes of set-up were named: a client that speaks the wrong protocol tries again several times a second.
type mistakes struct {
	mu    sync.Mutex
	named map[mistake]time.Duration // when, since the server began; guarded by mu
}

type mistake struct {
	listener string
	remote   netip.Addr
}

const (
	// nameAgain is after how long a mistake of the same address is named again.
	nameAgain = 10 * time.Minute
	// maxMistakes bounds the addresses that are remembered. Beyond them nobody is named until that time is over.
	maxMistakes = 1000
)

// isMistake says whether connections that end this way are somebody's set-up that is wrong, and come again and again.
func isMistake(reason error) bool {
	return errors.Is(reason, errNotKafka) || errors.Is(reason, errHandshake)
}

// isNews reports whether the mistake of an address on a listener is to be named.
func (m *mistakes) isNews(listener string, remote netip.Addr, now time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := mistake{listener, remote}
	if at, known := m.named[key]; known && now-at < nameAgain {
		return false
	}
	if len(m.named) >= maxMistakes {
		for other, at := range m.named {
			if now-at >= nameAgain {
				delete(m.named, other)
			}
		}
		if len(m.named) >= maxMistakes {
			return false
		}
	}
	if m.named == nil {
		m.named = map[mistake]time.Duration{}
	}
	m.named[key] = now
	return true
}

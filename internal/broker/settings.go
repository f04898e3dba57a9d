package broker

import (
	"sync"
	"sync/atomic"

	"barnabas/internal/config"
	"barnabas/internal/ident"
	"barnabas/internal/metadata"
	"barnabas/internal/replication"
)

// settings are the broker's settings as the metadata changes them: static ones overlaid by dynamic ones
// (KIP-226). Anyone may read current; apply is the feed's.
type settings struct {
	broker  ident.BrokerID
	static  *config.View
	current atomic.Pointer[config.View]

	mu        sync.Mutex
	listeners []func(*config.View) // guarded by mu
}

func newSettings(broker ident.BrokerID, static *config.View) *settings {
	s := &settings{broker: broker, static: static}
	s.current.Store(static)
	return s
}

// view is the broker's settings now.
func (s *settings) view() *config.View { return s.current.Load() }

// topic is a topic's settings: its own over the broker's.
func (s *settings) topic(image *metadata.Image, name string) *config.View {
	return s.view().ForTopic(image.Config(metadata.Resource{Type: metadata.TopicResource, Name: name}))
}

// onChange has apply called with the settings at once, and with every later change.
func (s *settings) onChange(apply func(*config.View)) {
	s.mu.Lock()
	s.listeners = append(s.listeners, apply)
	s.mu.Unlock()
	apply(s.view())
}

// apply takes over the dynamic settings of an image where they have changed.
func (s *settings) apply(image *metadata.Image, changed []metadata.Resource) {
	own := brokerResource(s.broker)
	for _, r := range changed {
		if r == own || r == (metadata.Resource{Type: metadata.BrokerResource}) {
			s.reload(image)
			return
		}
	}
}

func (s *settings) reload(image *metadata.Image) {
	cluster := image.Config(metadata.Resource{Type: metadata.BrokerResource})
	view := s.static.WithDynamic(cluster, image.Config(brokerResource(s.broker)))
	s.current.Store(view)
	s.mu.Lock()
	listeners := s.listeners
	s.mu.Unlock()
	for _, apply := range listeners {
		apply(view)
	}
}

// replicated are the settings of a topic that its partitions obey.
func (s *settings) replicated(image *metadata.Image, topic string) replication.TopicSettings {
	view := s.topic(image, topic)
	return replication.TopicSettings{
		Log:       logConfig(view),
		MinISR:    func(replicas int) int { return config.MinISR(view, replicas) },
		Throttled: throttledReplicas(view, s.broker),
	}
}

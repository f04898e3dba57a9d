package metrics

import (
	"maps"
	"slices"
	"sync"
)

// Connections are the counters of each listener. The zero value is ready. Its methods have the shape that
// the server tells its watcher in.
type Connections struct {
	mu        sync.Mutex
	listeners map[string]*listener // guarded by mu
}

type listener struct {
	opened, closed, refused, failed Counter
}

// Opened counts an accepted connection.
func (c *Connections) Opened(name string) { c.get(name).opened.Add(1) }

// Closed counts a connection that ended.
func (c *Connections) Closed(name string) { c.get(name).closed.Add(1) }

// Refused counts a connection over one of the bounds.
func (c *Connections) Refused(name string) { c.get(name).refused.Add(1) }

// Failed counts a connection whose TLS handshake failed.
func (c *Connections) Failed(name string) { c.get(name).failed.Add(1) }

func (c *Connections) get(name string) *listener {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.listeners[name]
	if l == nil {
		if c.listeners == nil {
			c.listeners = map[string]*listener{}
		}
		l = new(listener)
		c.listeners[name] = l
	}
	return l
}

// Collect writes the connections of each listener. Barnabas has no network threads; it shows 0 for the
// label that dashboards group them by.
func (c *Connections) Collect(w *Writer) {
	c.mu.Lock()
	listeners := maps.Clone(c.listeners)
	c.mu.Unlock()
	names := slices.Sorted(maps.Keys(listeners))
	const prefix = "kafka_server_socket_server_metrics_"
	for _, family := range []struct {
		name, help string
		kind       Type
		value      func(*listener) int64
	}{
		{"connection_count", "Connections open now.", GaugeType, func(l *listener) int64 {
			closed := l.closed.Load() // first: a connection is opened before it is closed
			return l.opened.Load() - closed
		}},
		{"connection_creation_total", "Connections accepted.", CounterType, func(l *listener) int64 { return l.opened.Load() }},
		{"connection_close_total", "Connections ended.", CounterType, func(l *listener) int64 { return l.closed.Load() }},
		{"failed_authentication_total", "Connections whose TLS handshake failed.", CounterType, func(l *listener) int64 { return l.failed.Load() }},
		{"connection_refused_total", "Connections closed at once for a bound on their number.", CounterType, func(l *listener) int64 { return l.refused.Load() }},
	} {
		w.Family(prefix+family.name, family.kind, family.help)
		for _, name := range names {
			w.Count(family.value(listeners[name]), "listener", name, "networkProcessor", "0")
		}
	}
}

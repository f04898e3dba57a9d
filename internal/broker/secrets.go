package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"barnabas/internal/config"
	"barnabas/internal/metadata"
	"barnabas/internal/metrics"
	"barnabas/internal/tlsstore"
	"barnabas/internal/wire"
)

// protocolSSL is the protocol of a listener that speaks TLS.
const protocolSSL = "SSL"

// secrets are the keys and the trusted certificates of the listeners, and of the connections to other brokers.
type secrets struct {
	listeners []secret
	between   *tlsstore.Live // what this broker shows to others, and trusts
	broken    error          // why there is nothing for that
	dial      wire.Dial
	logger    *slog.Logger

	mu   sync.Mutex
	said map[string]string // by listener, what failed last; guarded by mu
}

// secret is what one listener has.
type secret struct {
	listener config.Listener
	*tlsstore.Live
}

// openSecrets reads the stores of all listeners that speak TLS.
func (b *Broker) openSecrets(view *config.View) (*secrets, error) {
	s := &secrets{dial: b.options.Dial, logger: b.logger, said: map[string]string{}}
	for _, l := range b.config.Listeners {
		if l.Protocol != protocolSSL {
			continue
		}
		live, err := tlsstore.Open(view.SSL(l.Name))
		if err != nil {
			return nil, fmt.Errorf("listener %s: %w", l.Name, err)
		}
		if _, err := live.Server(); err != nil {
			return nil, fmt.Errorf("listener %s: %w", l.Name, err)
		}
		s.listeners = append(s.listeners, secret{l, live})
		if l.Name == b.config.InterBroker {
			s.between = live
		}
		b.judgeCertificate(l, live.Material())
	}
	if s.between == nil { // brokers whose listener speaks TLS may still be spoken with
		s.between, s.broken = tlsstore.Open(view.SSL(b.config.InterBroker))
	}
	return s, nil
}

// expiresSoon is when a certificate's end is worth a word.
const expiresSoon = 14 * 24 * time.Hour

// certificateWarnings say what is wrong with a listener's certificate and does not keep it from being served.
func certificateWarnings(l config.Listener, m *tlsstore.Material, now time.Time) []string {
	var list []string
	until := m.Expires()
	switch left := until.Sub(now); {
	case left < 0:
		list = append(list, fmt.Sprintf("the certificate of listener %s has expired on %s, and clients refuse it: replace it in ssl.keystore.location",
			l.Name, until.Format(time.DateOnly)))
	case left < expiresSoon:
		list = append(list, fmt.Sprintf("the certificate of listener %s expires on %s: replace it in ssl.keystore.location", l.Name, until.Format(time.DateOnly)))
	}
	if !l.Outside && !m.Covers(l.AdvertisedHost) {
		list = append(list, fmt.Sprintf("the certificate of listener %s is for %s, and not for %s, which it advertises: clients refuse it",
			l.Name, m.Names(), l.AdvertisedHost))
	}
	return list
}

func (b *Broker) judgeCertificate(l config.Listener, m *tlsstore.Material) {
	for _, warning := range certificateWarnings(l, m, time.Now()) {
		b.logger.Warn(warning, "listener", l.Name)
	}
}

// of is the configuration of a listener's TLS; nil where it speaks none.
func (s *secrets) of(listener string) *tls.Config {
	for _, l := range s.listeners {
		if l.listener.Name == listener {
			server, err := l.Server()
			if err != nil {
				panic("broker: a listener's key store is gone") // it was there, and is never replaced by none
			}
			return server
		}
	}
	return nil
}

// dialler connects to a broker's endpoint, by TLS where its listener speaks that. The certificate has to be for one of the names.
func (s *secrets) dialler(protocol string, names ...string) wire.Dial {
	if protocol != protocolSSL {
		return s.dial
	}
	return func(ctx context.Context, address string) (net.Conn, error) {
		if s.broken != nil {
			return nil, s.broken
		}
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return s.connect(ctx, address, s.between.Client(append(slices.Clone(names), host)...))
	}
}

// prover connects to an address that may be this broker's own. Who is there is asked in the protocol: what a broker trusts is not for
// its own certificate.
func (s *secrets) prover(protocol, name string) wire.Dial {
	if protocol != protocolSSL || s.broken != nil {
		return s.dial
	}
	return func(ctx context.Context, address string) (net.Conn, error) {
		config := s.between.Client(name)
		config.VerifyConnection = nil
		return s.connect(ctx, address, config)
	}
}

func (s *secrets) connect(ctx context.Context, address string, config *tls.Config) (net.Conn, error) {
	conn, err := s.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("TLS with %s: %w", address, err)
	}
	return secured, nil
}

// isAlert reports whether the other end has ended TLS with a reason: it is there, and wants another certificate.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

// namesOf are what a broker's certificate may be for: the host that it advertises to brokers.
func namesOf(e metadata.Endpoint) []string {
	if e.Host == "" {
		return nil
	}
	return []string{e.Host}
}

// set takes over dynamic settings.
func (s *secrets) set(view *config.View) {
	for _, l := range s.listeners {
		changed, err := l.Set(view.SSL(l.listener.Name))
		s.tell(l, changed, err)
	}
}

// look reads files that have changed.
func (s *secrets) look() {
	for _, l := range s.listeners {
		changed, err := l.Look()
		s.tell(l, changed, err)
	}
}

// tell says what came of looking at a listener's stores; a failure once, for it comes again at each look.
func (s *secrets) tell(l secret, changed bool, err error) {
	name := l.listener.Name
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil && s.said[name] != err.Error():
		s.said[name] = err.Error()
		s.logger.Error("the key store or trust store of a listener can't be read anew; what was read before is served on",
			"listener", name, "error", err)
	case changed:
		delete(s.said, name)
		s.logger.Info("the key store and trust store of a listener were read anew", "listener", name,
			"names", l.Material().Names(), "expires", l.Material().Expires().Format(time.RFC3339))
	case err == nil:
		delete(s.said, name)
	}
}

// checkSecrets looks whether a change of this broker's dynamic settings leaves each listener that speaks TLS with stores that can be read.
func (b *Broker) checkSecrets(own map[string]string, changes map[string]*string) error {
	next, concerned := map[string]string{}, false
	maps.Copy(next, own)
	for name, value := range changes {
		concerned = concerned || strings.Contains(name, "ssl.")
		if value == nil {
			delete(next, name)
		} else {
			next[name] = *value
		}
	}
	if !concerned {
		return nil
	}
	view := b.config.View().WithDynamic(b.feed.Current().Config(metadata.Resource{Type: metadata.BrokerResource}), next)
	for _, l := range b.secrets.listeners {
		material, err := tlsstore.Read(view.SSL(l.listener.Name))
		if err == nil {
			_, err = material.Server()
		}
		if err != nil {
			return fmt.Errorf("listener %s: %w", l.listener.Name, err)
		}
	}
	return nil
}

// keepSecrets looks at the files of the stores now and then, until ctx ends.
func (b *Broker) keepSecrets(ctx context.Context) {
	interval := config.SSLReloadInterval.In(b.config.View())
	if interval <= 0 || len(b.secrets.listeners) == 0 {
		return
	}
	for {
		if pause(ctx, interval); ctx.Err() != nil {
			return
		}
		b.secrets.look()
	}
}

// warnings are what clients will not like about the certificates.
func (s *secrets) warnings() []string {
	var list []string
	for _, l := range s.listeners {
		list = append(list, certificateWarnings(l.listener, l.Material(), time.Now())...)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		if failure := s.said[l.listener.Name]; failure != "" {
			list = append(list, fmt.Sprintf("listener %s: %s", l.listener.Name, strings.TrimSpace(failure)))
		}
	}
	return list
}

// Certificates implements metrics.PodSource.
func (b *Broker) Certificates() []metrics.Certificate {
	var list []metrics.Certificate
	for _, l := range b.secrets.listeners {
		list = append(list, metrics.Certificate{Listener: l.listener.Name, Expires: l.Material().Expires()})
	}
	return list
}

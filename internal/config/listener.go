package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// endpoint is one element of listeners or advertised.listeners.
type endpoint struct {
	name, host string
	port       int
}

// parseEndpoint reads name://host:port. The host may be empty, and an IPv6 address is in brackets.
func parseEndpoint(s string) (endpoint, error) {
	name, address, ok := strings.Cut(s, "://")
	if !ok || name == "" {
		return endpoint{}, fmt.Errorf("%q is not name://host:port", s)
	}
	host, port, err := splitHostPort(address)
	if err != nil {
		return endpoint{}, fmt.Errorf("%q: %w", s, err)
	}
	return endpoint{strings.ToUpper(name), host, port}, nil
}

func splitHostPort(address string) (string, int, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		var addr *net.AddrError
		if errors.As(err, &addr) {
			return "", 0, errors.New(addr.Err)
		}
		return "", 0, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("%s is not a port", portText)
	}
	if strings.ContainsAny(host, " /\t") {
		return "", 0, fmt.Errorf("%q is not a host", host)
	}
	return host, port, nil
}

// isWildcard reports whether a host to listen on is every address, which nobody can dial.
func isWildcard(host string) bool {
	if host == "" || host == "*" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsUnspecified()
}

// listeners puts together the listeners of a broker: what it listens on, and what it tells clients.
func (l *loading) listeners() {
	endpoints := l.endpoints(Listeners.Def)
	advertised := map[string]endpoint{}
	for _, a := range l.endpoints(AdvertisedListeners.Def) {
		if _, twice := advertised[a.name]; twice {
			l.problem(AdvertisedListeners.Def, a.name+" is advertised twice")
		}
		advertised[a.name] = a
	}
	endpoints, advertised = l.hostAndPort(endpoints, advertised)
	protocols := l.protocols()
	controllers := upper(splitList(l.text("controller.listener.names")))
	for _, e := range endpoints {
		if slices.Contains(controllers, e.name) {
			continue // a listener of KRaft, whose place the keeper takes
		}
		l.broker.Listeners = append(l.broker.Listeners, l.listener(e, advertised, protocols))
		delete(advertised, e.name)
	}
	for _, name := range sortedKeys(advertised) {
		if !slices.Contains(controllers, name) {
			l.problem(AdvertisedListeners.Def, fmt.Sprintf("%s is advertised, and listeners has no %s", name, name))
		}
	}
	l.distinct()
	l.interBroker()
	l.ownSSL()
}

// ownSSL names the ssl settings of listeners that are not there.
func (l *loading) ownSSL() {
	for _, name := range sortedKeys(l.static) {
		listener, is := sslOfListener(name)
		if !is || slices.ContainsFunc(l.broker.Listeners, func(x Listener) bool { return strings.EqualFold(x.Name, listener) }) {
			continue
		}
		l.notices = append(l.notices, Notice{l.static[name].where, name, "is for a listener " + strings.ToUpper(listener) + ", and there is none", false})
	}
}

func (l *loading) endpoints(d *Def) []endpoint {
	var endpoints []endpoint
	written, _ := l.view.Text(d.Name)
	for _, s := range splitList(written) {
		e, err := parseEndpoint(s)
		if err != nil {
			l.problem(d, err.Error())
			continue
		}
		endpoints = append(endpoints, e)
	}
	return endpoints
}

// hostAndPort applies what says addresses in other ways: the settings of Kafka before 3.0 (host.name, port,
// advertised.host.name, advertised.port), which wurstmeister's variables set, and apache/kafka's rule that
// listeners follow from advertised.listeners where only these are given.
func (l *loading) hostAndPort(endpoints []endpoint, advertised map[string]endpoint) ([]endpoint, map[string]endpoint) {
	host, port := l.text("host.name"), l.port("port")
	advertisedHost, advertisedPort := l.text("advertised.host.name"), l.port("advertised.port")
	if !l.has(Listeners.Name) {
		switch {
		case len(advertised) > 0:
			endpoints = nil
			for _, name := range sortedKeys(advertised) {
				endpoints = append(endpoints, endpoint{name, "", advertised[name].port})
			}
		case host != "" || port != 0 || advertisedHost != "" || advertisedPort != 0:
			if port == 0 {
				port = 9092
			}
			endpoints = []endpoint{{"PLAINTEXT", host, port}}
		}
	}
	if len(advertised) == 0 && len(endpoints) > 0 && (advertisedHost != "" || advertisedPort != 0) {
		first := endpoints[0]
		if advertisedHost != "" {
			first.host = advertisedHost
		}
		if advertisedPort != 0 {
			first.port = advertisedPort
		}
		advertised[first.name] = first
	}
	return endpoints, advertised
}

func (l *loading) port(name string) int {
	text := l.text(name)
	if text == "" {
		return 0
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		l.problems = append(l.problems, Problem{l.static[name].where, name, invalid(name, text, "not a port").Error()})
		return 0
	}
	return port
}

func (l *loading) protocols() map[string]string {
	protocols := map[string]string{}
	written, _ := l.view.Text(ListenerSecurityProtocols.Name)
	for _, s := range splitList(written) {
		name, protocol, ok := strings.Cut(s, ":")
		if !ok {
			l.problem(ListenerSecurityProtocols.Def, fmt.Sprintf("%q is not listener:protocol", s))
			continue
		}
		protocols[strings.ToUpper(strings.TrimSpace(name))] = strings.ToUpper(strings.TrimSpace(protocol))
	}
	return protocols
}

// listener resolves what one endpoint advertises.
func (l *loading) listener(e endpoint, advertised map[string]endpoint, protocols map[string]string) Listener {
	listener := Listener{Name: e.name, Host: e.host, Port: e.port, AdvertisedPort: e.port, Protocol: protocols[e.name]}
	if listener.Host == "*" {
		listener.Host = ""
	}
	switch listener.Protocol {
	case "PLAINTEXT", "SSL":
	case "SASL_PLAINTEXT", "SASL_SSL":
		l.problem(Listeners.Def, fmt.Sprintf("listener %s wants %s, and only PLAINTEXT and SSL are served yet: SASL comes in a later release", e.name, listener.Protocol))
	case "":
		l.problem(ListenerSecurityProtocols.Def, fmt.Sprintf("no security protocol for listener %s: add %s:PLAINTEXT or %s:SSL", e.name, e.name, e.name))
	default:
		l.problem(ListenerSecurityProtocols.Def, fmt.Sprintf("%s is not a security protocol", listener.Protocol))
	}
	if a, given := advertised[e.name]; given {
		listener.AdvertisedHost, listener.AdvertisedPort = a.host, a.port
		if a.host != "" && isWildcard(a.host) {
			l.problem(AdvertisedListeners.Def, fmt.Sprintf("%s advertises %s, which no client can dial: give the address that clients use", e.name, a.host))
		}
	} else if !isWildcard(e.host) {
		listener.AdvertisedHost = e.host
	}
	if listener.AdvertisedHost == "" {
		listener.AdvertisedHost = l.hostname()
	}
	return listener
}

// hostname is what a listener on every address advertises.
func (l *loading) hostname() string {
	name, err := l.sources.Hostname()
	if err != nil || name == "" {
		l.problem(AdvertisedListeners.Def, fmt.Sprintf("is needed: the machine's name is not known (%v)", err))
	}
	return name
}

// distinct refuses two listeners of one name or at one address.
func (l *loading) distinct() {
	listeners := l.broker.Listeners
	if len(listeners) == 0 && !l.failed(Listeners.Def) {
		l.problem(Listeners.Def, "there is no listener")
	}
	for i, a := range listeners {
		for _, b := range listeners[:i] {
			switch {
			case a.Name == b.Name:
				l.problem(Listeners.Def, "two listeners are called "+a.Name)
			case a.Port == b.Port && a.Port != 0 &&
				(a.Host == b.Host || isWildcard(a.Host) || isWildcard(b.Host)):
				l.problem(Listeners.Def, fmt.Sprintf("%s and %s have one port, %d", b.Name, a.Name, a.Port))
			}
		}
	}
}

// interBroker picks the listener that brokers use among themselves.
func (l *loading) interBroker() {
	listeners := l.broker.Listeners
	if name := strings.ToUpper(InterBrokerListener.In(l.view)); name != "" {
		if l.has(SecurityInterBrokerProtocol.Name) {
			l.problem(InterBrokerListener.Def, "and security.inter.broker.protocol are both given: one is enough")
		}
		if !slices.ContainsFunc(listeners, func(x Listener) bool { return x.Name == name }) {
			l.problem(InterBrokerListener.Def, fmt.Sprintf("there is no listener %s", name))
		}
		l.broker.InterBroker = name
		return
	}
	protocol := SecurityInterBrokerProtocol.In(l.view)
	for _, listener := range listeners {
		if listener.Protocol == protocol {
			l.broker.InterBroker = listener.Name
			return
		}
	}
	if len(listeners) > 0 && !l.failed(Listeners.Def) && !l.failed(ListenerSecurityProtocols.Def) {
		l.problem(SecurityInterBrokerProtocol.Def, fmt.Sprintf("there is no %s listener for brokers among themselves", protocol))
	}
}

func upper(list []string) []string {
	for i := range list {
		list[i] = strings.ToUpper(list[i])
	}
	return list
}

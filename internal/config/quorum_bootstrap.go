package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// controller.quorum.bootstrap.servers names controllers by their addresses alone (KIP-853), and with Kafka need not name all of them. Keepers
// know each other by a list, so that here it is the list. Their numbers are the places in the sorted list, which are the same for
// everyone who is given the same addresses, in whatever order.
func parseBootstrap(list string) ([]voter, error) {
	var voters []voter
	for _, address := range splitList(list) {
		host, port, err := splitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("%q is not host:port: %w", address, err)
		}
		if host == "" {
			return nil, fmt.Errorf("%q has no host", address)
		}
		v := voter{host: host, port: port}
		if slices.Contains(voters, v) {
			return nil, fmt.Errorf("%s is there twice", address)
		}
		voters = append(voters, v)
	}
	if len(voters) > 255 {
		return nil, errors.New("more than 255 keepers")
	}
	slices.SortFunc(voters, func(a, b voter) int { return cmp.Or(cmp.Compare(a.host, b.host), cmp.Compare(a.port, b.port)) })
	for i := range voters {
		voters[i].id = i + 1
	}
	return voters, nil
}

// ownAddress finds this process among controllers that have no numbers: by the names of its machine and those that it is advertised
// by, and, of several on one machine, by the port of its controllers' listener.
func ownAddress(voters []voter, text func(string) string, sources Sources) (int, error) {
	if len(voters) == 1 {
		return 0, nil
	}
	names := append(machineNames(sources), listenerHosts(text(Listeners.Name))...)
	names = append(names, listenerHosts(text(AdvertisedListeners.Name))...)
	slices.Sort(names)
	names = slices.Compact(names)
	ports := controllerPorts(text)
	var here, exactly []int
	for i, v := range voters {
		if !slices.ContainsFunc(names, func(name string) bool { return isNamed(v.host, name) }) {
			continue
		}
		here = append(here, i)
		if slices.Contains(ports, v.port) {
			exactly = append(exactly, i)
		}
	}
	switch {
	case len(here) == 1:
		return here[0], nil
	case len(exactly) == 1:
		return exactly[0], nil
	case len(here) == 0:
		return 0, fmt.Errorf("none of the hosts is this machine, which is called %s: give controller.quorum.voters, with node ids", strings.Join(names, ", "))
	}
	return 0, errors.New("several of the addresses are this machine's, and none or more than one has the port of the controllers' listener: give controller.quorum.voters, with node ids")
}

// isNamed tells that a host is a machine's name, or begins with it, as keeper-0.keeper does in the pod keeper-0; every machine is localhost.
func isNamed(host, name string) bool {
	return host == name || strings.HasPrefix(host, name+".") || host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// listenerHosts are the hosts that a list of listeners names.
func listenerHosts(list string) []string {
	var hosts []string
	for _, listener := range splitList(list) {
		_, address, _ := strings.Cut(listener, "://")
		if host, _, err := splitHostPort(address); err == nil && !isWildcard(host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// controllerPorts are those of the listeners that are for controllers.
func controllerPorts(text func(string) string) []int {
	var ports []int
	names := splitList(text("controller.listener.names"))
	for _, listener := range splitList(text(Listeners.Name)) {
		name, address, _ := strings.Cut(listener, "://")
		if _, port, err := splitHostPort(address); err == nil && slices.Contains(names, name) {
			ports = append(ports, port)
		}
	}
	return ports
}

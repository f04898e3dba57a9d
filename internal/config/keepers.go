package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Ports of the keepers and of etcd, where an address has none.
const (
	keeperPort = 2181
	etcdPort   = 2379
)

// ParseKeepers reads an address of keepers: `host:2181,host:2181/chroot`, or
// `etcd://user:password@host:2379,host:2379/prefix`, where a user or a password may be written as in a URL.
// An address without a port has the usual one. Nothing is an address of no keepers.
func ParseKeepers(address string) (Keepers, error) {
	var k Keepers
	address = strings.TrimSpace(address)
	if address == "" {
		return k, nil
	}
	port := keeperPort
	if rest, ok := strings.CutPrefix(address, "etcd://"); ok {
		address, port, k.Etcd = rest, etcdPort, true
	}
	if i := strings.IndexByte(address, '/'); i >= 0 {
		address, k.Chroot = address[:i], strings.TrimRight(address[i:], "/")
		if strings.Contains(k.Chroot, ",") {
			return k, errors.New("the path comes once, after the last address")
		}
		if strings.Contains(k.Chroot, "//") {
			return k, fmt.Errorf("%q is not a path", k.Chroot)
		}
	}
	if at := strings.LastIndexByte(address, '@'); at >= 0 && k.Etcd {
		if err := k.login(address[:at]); err != nil {
			return k, err
		}
		address = address[at+1:]
	}
	for _, server := range splitList(address) {
		s, err := withPort(server, port)
		if err != nil {
			return k, err
		}
		k.Servers = append(k.Servers, s)
	}
	if len(k.Servers) == 0 {
		return k, errors.New("there is no address in it")
	}
	return k, nil
}

func (k *Keepers) login(written string) error {
	user, password, _ := strings.Cut(written, ":")
	var wrong [2]error
	k.User, wrong[0] = url.PathUnescape(user)
	k.Password, wrong[1] = url.PathUnescape(password)
	if k.User == "" || errors.Join(wrong[:]...) != nil {
		return errors.New("what stands before the @ is not user:password, with %40 for @ and so on")
	}
	return nil
}

// withoutPassword is an address of keepers for others to see.
func withoutPassword(address string) string {
	scheme, rest, _ := strings.Cut(address, "://")
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return address
	}
	user, _, _ := strings.Cut(rest[:at], ":")
	return scheme + "://" + user + ":[hidden]" + rest[at:]
}

func withPort(server string, port int) (string, error) {
	bare := strings.Trim(server, "[]")
	if server == "" || strings.Contains(server, "://") {
		return "", fmt.Errorf("%q is not host:port", server)
	}
	if !strings.Contains(server, ":") || strings.HasPrefix(server, "[") && strings.HasSuffix(server, "]") {
		return joinHostPort(bare, port), nil
	}
	host, given, err := splitHostPort(server)
	if err != nil {
		return "", fmt.Errorf("%q: %w", server, err)
	}
	if host == "" || given == 0 {
		return "", fmt.Errorf("%q is not host:port", server)
	}
	return joinHostPort(host, given), nil
}

package config

import (
	"errors"
	"strings"
	"testing"
)

const threePods = "ZOO_SERVERS=server.1=k-0.k:2888:3888;2181 server.2=k-1.k:2888:3888;2181 server.3=k-10.k:2888:3888;2181"

// TestKeeperByItsName: pods of a StatefulSet have one template, so none of them can be given its number.
func TestKeeperByItsName(t *testing.T) {
	for _, c := range []struct {
		env  []string
		host string
		want int
	}{
		{[]string{threePods}, "k-0", 1},
		{[]string{threePods}, "k-1.k.ns.svc.cluster.local", 2},
		{[]string{threePods}, "k-10", 3},
		{[]string{threePods, "POD_NAME=k-1"}, "node-7", 2},
		{[]string{threePods, "ZOO_MY_ID=3"}, "k-0", 3},
		{[]string{threePods}, "k", 0},
		{[]string{threePods}, "", 0},
		{[]string{"ZOO_SERVERS=server.1=h:2888:3888 server.2=h:2889:3889"}, "h", 0},
	} {
		hostname := func() (string, error) {
			if c.host == "" {
				return "", errors.New("no name")
			}
			return c.host, nil
		}
		k, _, err := LoadKeeper(Sources{Env: c.env, Hostname: hostname})
		switch {
		case c.want == 0 && (err == nil || !strings.Contains(err.Error(), "set ZOO_MY_ID")):
			t.Errorf("%q: %v", c.host, err)
		case c.want != 0 && (err != nil || k.ID != c.want):
			t.Errorf("%q: %+v, %v", c.host, k, err)
		}
	}
}

// TestMemberInsideByItsName: the same for a keeper inside of a broker; a pod beyond the keepers has none.
func TestMemberInsideByItsName(t *testing.T) {
	connect := "KAFKA_ZOOKEEPER_CONNECT=k-0.k:2181,k-1.k:2181,k-10.k:2181"
	named := func(name string) func() (string, error) { return func() (string, error) { return name, nil } }
	b, _, err := Load(Sources{Env: []string{threePods}, Hostname: named("k-1")})
	if err != nil || b.Member == nil || b.Member.ID != 2 || len(b.Keepers.Servers) != 3 || b.Keepers.Servers[0] != "127.0.0.1:2181" {
		t.Errorf("got %+v, %v", b, err)
	}
	if b, _, err = Load(Sources{Env: []string{threePods, connect}, Hostname: named("k-3")}); err != nil || b.Member != nil {
		t.Errorf("got %+v, %v", b, err)
	}
	if _, _, err = Load(Sources{Env: []string{threePods}, Hostname: named("k-3")}); err == nil {
		t.Error("a broker that is none of the members, and knows no keepers, starts")
	}
}

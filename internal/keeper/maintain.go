package keeper

import (
	"time"

	"go.etcd.io/etcd/server/v3/etcdserver"
)

// maintenance keeps the key space's file small. The member's goroutine owns it.
type maintenance struct{ next time.Time }

func (t *maintenance) look(m *Member, server *etcdserver.EtcdServer) {
	_ = m
	_ = server
}

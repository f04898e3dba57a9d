package keeper

import (
	"errors"
	"net/http"
	"reflect"
	"unsafe"

	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/etcdhttp"
	"go.etcd.io/etcd/server/v3/etcdserver/api/rafthttp"
	"go.uber.org/zap"
)

func newPeerHandler(logger *zap.Logger, server *etcdserver.EtcdServer) http.Handler {
	return etcdhttp.NewPeerHandler(logger, server)
}

var errNoTransport = errors.New("keeper: etcd's transport can't be reached")

// transportOf is how the member reaches the others. A member that comes back at another address is found again by it, even
// while too few are there to agree on the address. etcd offers no way to it, so this reaches inside; a test tells
// when a new release of etcd has it elsewhere, and then such members wait for a quorum that knows their addresses.
func transportOf(server *etcdserver.EtcdServer) (rafthttp.Transporter, error) {
	node := reflect.ValueOf(server).Elem().FieldByName("r")
	if !node.IsValid() || node.Kind() != reflect.Struct {
		return nil, errNoTransport
	}
	field := node.FieldByName("transport")
	if !field.IsValid() || field.Type() != reflect.TypeFor[rafthttp.Transporter]() || field.IsNil() {
		return nil, errNoTransport
	}
	return *(*rafthttp.Transporter)(unsafe.Pointer(field.UnsafeAddr())), nil
}

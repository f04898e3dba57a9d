package keeper

import (
	"errors"
	"reflect"
	"time"
	"unsafe"

	"go.etcd.io/etcd/server/v3/etcdserver"
)

// idleTick is the heartbeat of a member that is elected and alone: it has nobody to tell that it lives. A
// hundred wake-ups a second for nobody would be most of what an idle broker costs.
const idleTick = time.Second

// errNoTicker says that etcd's insides are not what they were.
var errNoTicker = errors.New("keeper: etcd's heartbeat can't be reached")

// ticker is the member's heartbeat. etcd fixes its period at the start, where a short one makes the first
// election short; it offers no way to lengthen it afterwards, so this reaches inside. A test tells when a
// new release of etcd has it elsewhere; the keeper then goes on with the short one.
func ticker(server *etcdserver.EtcdServer) (*time.Ticker, error) {
	node := reflect.ValueOf(server).Elem().FieldByName("r")
	if !node.IsValid() || node.Kind() != reflect.Struct {
		return nil, errNoTicker
	}
	field := node.FieldByName("ticker")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*time.Ticker]() {
		return nil, errNoTicker
	}
	return *(**time.Ticker)(unsafe.Pointer(field.UnsafeAddr())), nil
}

// rest lengthens the heartbeat once the member is elected. It must be alone.
func rest(server *etcdserver.EtcdServer) error {
	t, err := ticker(server)
	if err != nil {
		return err
	}
	t.Reset(idleTick)
	return nil
}

package keeper

import (
	"errors"
	"reflect"
	"time"

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
	field := within[*time.Ticker](reflect.ValueOf(server), "r", "ticker")
	if field == nil {
		return nil, errNoTicker
	}
	return *field, nil
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

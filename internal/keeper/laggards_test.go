package keeper

import (
	"testing"
	"time"
)

func TestLaggards(t *testing.T) {
	if etcdLaggards != 100*time.Millisecond || watchResyncPeriod != laggardsEvery {
		t.Errorf("etcd looks after watches that have fallen behind every %v: a new release?", etcdLaggards)
	}
}

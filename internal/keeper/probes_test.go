package keeper

import "testing"

func TestProbesAreFound(t *testing.T) {
	if etcdProbes == 0 {
		t.Error("a new release of etcd has the interval of its probes elsewhere")
	}
}

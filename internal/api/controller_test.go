package api

import (
	"testing"

	"barnabas/internal/metadata"
)

func TestControllerWhileThereIsNone(t *testing.T) {
	a := &API{Deps: Deps{Broker: 7}}
	if got := a.controllerFor(metadata.NewImage(), "PLAINTEXT"); got != 7 {
		t.Errorf("the controller of a cluster that has none is said to be %d, want this broker, 7", got)
	}
}
